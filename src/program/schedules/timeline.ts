/**
 * When each slot of a schedule runs, given what slots and transfers take. Stages run one slot at a time; what a slot makes
 * for another stage is sent while the sender goes on, and delays only who needs it.
 */
import type { Compiled } from './compiled.js';
import { compile, KINDS, MADE, NONE } from './compiled.js';
import { drive } from './drive.js';
import { Recurrence } from './recurrence.js';
import type { Schedule } from './schedule.js';
import { placeOf, PRODUCTS, virtualStage, virtualStageCount } from './schedule.js';
import type { SlotTimes, TimeTables } from './slot-times.js';
import { readTimes } from './slot-times.js';

export interface StageSpan<T extends number> {
  readonly start: T;
  readonly end: T;
  /** The sum of its slots. */
  readonly busy: T;
}

export interface Timeline<T extends number> {
  readonly schedule: Schedule;
  /** Of the slot at `index` in the stage's list. */
  start(stage: number, index: number): T;
  end(stage: number, index: number): T;
  /** The slot on another stage whose product it waits for, if any. */
  sender(stage: number, index: number): { readonly stage: number; readonly index: number } | undefined;
  readonly stages: readonly StageSpan<T>[];
  /** From the first slot's start to the last slot's end: a step alone, or steps whose stages wait for each other. */
  readonly stepTime: T;
  /**
   * The longest time from a stage's first slot to its last one's end. Steps can follow each other this closely where no
   * stage waits for the others between them; 'cost' in Qi et al. 2023, §3.
   */
  readonly longestSpan: T;
  /** The share of `stepTime` in which stages idle, over all stages. */
  readonly bubble: number;
  /** How many slots were walked; the others repeat them. */
  readonly walkedSlots: number;
}

export interface TimelineOptions {
  /**
   * Whether to leap over a stretch that repeats. Only where all times are whole (ticks), where the result is exactly that
   * of walking; sums of fractions depend on how they are rounded, so those are always walked.
   */
  readonly leap?: boolean;
  /** When a stage can begin; at 0 unless given. */
  readonly begin?: (stage: number) => number;
}

export function timeline<T extends number>(
  schedule: Schedule,
  times: SlotTimes<T>,
  { leap = true, begin = () => 0 }: TimelineOptions = {},
): Timeline<T> {
  const compiled = compile(schedule);
  const tables = readTimes(compiled, times);
  const begins = Float64Array.from(schedule.slots, (_, stage) => begin(stage));
  const { starts, ends, walked } = walk(compiled, tables, begins, leap);
  const { offsets } = compiled;
  const takes = durations(compiled, tables);
  const stages = schedule.slots.map((_, stage): StageSpan<T> => {
    let busy = 0;
    for (let i = offsets[stage]!; i < offsets[stage + 1]!; i++) busy += takes(stage, i);
    return { start: starts[offsets[stage]!]! as T, end: ends[offsets[stage + 1]! - 1]! as T, busy: busy as T };
  });
  const first = Math.min(...stages.map(({ start }) => start));
  const stepTime = Math.max(...stages.map(({ end }) => end)) - first;
  const busy = stages.reduce((total, stage) => total + stage.busy, 0);
  return {
    schedule,
    start: (stage, index) => starts[offsets[stage]! + index]! as T,
    end: (stage, index) => ends[offsets[stage]! + index]! as T,
    sender: (stage, index) => {
      const from = compiled.sender[offsets[stage]! + index]!;
      if (from === NONE) return undefined;
      const other = compiled.stageOf[from]!;
      return { stage: other, index: from - offsets[other]! };
    },
    stages,
    stepTime: stepTime as T,
    longestSpan: Math.max(...stages.map(({ start, end }) => end - start)) as T,
    bubble: stepTime > 0 ? 1 - busy / (stepTime * stages.length) : 0,
    walkedSlots: walked,
  };
}

interface Walked {
  readonly starts: Float64Array;
  readonly ends: Float64Array;
  readonly walked: number;
}

/** Of the slot at `index` among all slots. */
function durations({ schedule, classes, microbatches }: Compiled, tables: TimeTables) {
  const last = tables.lastApart ? schedule.microbatches - 1 : -1;
  return (stage: number, index: number): number =>
    microbatches[index] === last
      ? tables.lastDuration(stage, classes[index]!)
      : tables.duration(stage, classes[index]!);
}

function walk(compiled: Compiled, tables: TimeTables, begins: Float64Array, leap: boolean): Walked {
  const { schedule, offsets, stageOf, classes, sender, before } = compiled;
  const virtuals = virtualStageCount(schedule);
  const starts = new Float64Array(classes.length);
  const ends = new Float64Array(classes.length);
  const position = new Int32Array(schedule.stages);
  const clock = begins.slice();
  const takes = durations(compiled, tables);
  const made = new Int32Array(PRODUCTS.length * virtuals);
  let walked = 0;
  const missing = (index: number): boolean => {
    const stage = stageOf[index]!;
    return index - offsets[stage]! >= position[stage]!;
  };
  const run = (stage: number): number => {
    const index = offsets[stage]! + position[stage]!;
    const from = sender[index]!;
    if (from !== NONE && missing(from)) return from;
    if (before[index] !== NONE && missing(before[index]!)) return before[index]!;
    const own = classes[index]!;
    const ready = from === NONE ? 0 : ends[from]! + tables.transfer(stage, own);
    starts[index] = Math.max(clock[stage]!, ready);
    ends[index] = starts[index]! + takes(stage, index);
    clock[stage] = ends[index]!;
    position[stage]!++;
    const virtual = virtualStage(schedule, stage, Math.floor(own / KINDS.length));
    for (const product of MADE[own % KINDS.length]!) made[product * virtuals + virtual]!++;
    walked++;
    return NONE;
  };
  const state = { position, clock, made, starts, ends };
  const exact = tables.whole && begins.every(Number.isInteger);
  const recurrence =
    leap && exact && compiled.ascending ? new Recurrence(compiled, state, tables.lastApart) : undefined;
  // Outputs arrive at the last virtual stage, then gradients at the first: there the pace shows, so these two pull.
  const pull = (virtual: number, product: (typeof PRODUCTS)[number], until: () => boolean): void => {
    const { stage } = placeOf(schedule, virtual);
    const arrived = PRODUCTS.indexOf(product) * virtuals + virtual;
    while (!until()) {
      const count = made[arrived]!;
      drive(compiled, position, run, stage, position[stage]! + 1);
      if (made[arrived]! > count) recurrence?.check(stage);
    }
  };
  const gradient = PRODUCTS.indexOf('input-gradient') * virtuals;
  const outputs = virtuals - 1;
  pull(outputs, 'output', () => made[outputs] === schedule.microbatches || made[gradient + outputs]! > 0);
  pull(0, 'input-gradient', () => made[gradient] === schedule.microbatches);
  for (let stage = 0; stage < schedule.stages; stage++) {
    drive(compiled, position, run, stage, offsets[stage + 1]! - offsets[stage]!);
  }
  return { starts, ends, walked };
}
