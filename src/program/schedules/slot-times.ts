/** What slots and transfers take: as it is asked for, and read into tables. */
import type { Compiled } from './compiled.js';
import { classOf, KINDS } from './compiled.js';
import type { ScheduleShape, SlotKind } from './schedule.js';
import { placeOf, virtualStage, virtualStageCount } from './schedule.js';

/**
 * What slots and transfers take, in seconds or in ticks: results come in the same. Each is asked for once, since all
 * microbatches take the same.
 */
export interface SlotTimes<T extends number> {
  slot(stage: number, kind: SlotKind, chunk: number): T;
  /** The same of the last microbatch's, where that differs: gradients may be reduced beside it. */
  last?(stage: number, kind: SlotKind, chunk: number): T;
  /** To bring a product from one virtual stage to a neighbour that lies on another stage. */
  transfer(from: number, to: number): T;
}

/** What one microbatch takes on one virtual stage. */
export interface StageTimes<T extends number> {
  readonly forward: T;
  readonly backwardInput: T;
  readonly backwardWeight: T;
  /** To send its output on, or the gradient of its input back. */
  readonly transfer: T;
}

/** @param byVirtualStage one for each virtual stage, or one for all of them */
export function slotTimes<T extends number>(
  shape: ScheduleShape,
  byVirtualStage: readonly StageTimes<T>[] | StageTimes<T>,
): SlotTimes<T> {
  const of = (virtual: number) => ('forward' in byVirtualStage ? byVirtualStage : byVirtualStage[virtual]!);
  return {
    slot(stage, kind, chunk) {
      const times = of(virtualStage(shape, stage, chunk));
      if (kind === 'forward') return times.forward;
      if (kind === 'backward-input') return times.backwardInput;
      if (kind === 'backward-weight') return times.backwardWeight;
      return (times.backwardInput + times.backwardWeight) as T;
    },
    transfer: (from) => of(from).transfer,
  };
}

/**
 * The same where a stage waits until what it sends has arrived, as software does that doesn't overlap transfers with
 * computing: they take the sender's time.
 */
export function blockingTransfers<T extends number>(shape: ScheduleShape, times: SlotTimes<T>): SlotTimes<T> {
  const elsewhere = (from: number, to: number): boolean =>
    to >= 0 && to < virtualStageCount(shape) && placeOf(shape, from).stage !== placeOf(shape, to).stage;
  const sending = (stage: number, kind: SlotKind, chunk: number): number => {
    const from = virtualStage(shape, stage, chunk);
    const to = kind === 'forward' ? from + 1 : from - 1;
    return kind !== 'backward-weight' && elsewhere(from, to) ? times.transfer(from, to) : 0;
  };
  return {
    slot: (...slot) => (times.slot(...slot) + sending(...slot)) as T,
    ...(times.last === undefined ? {} : { last: (...slot) => (times.last!(...slot) + sending(...slot)) as T }),
    transfer: () => 0 as T,
  };
}

export interface TimeTables {
  /** By stage and class. */
  readonly duration: (stage: number, own: number) => number;
  /** The same in the last microbatch. */
  readonly lastDuration: (stage: number, own: number) => number;
  /** Whether the two differ anywhere. */
  readonly lastApart: boolean;
  /** From the sender of its input to a slot of a stage and class; 0 where it waits for no other stage. */
  readonly transfer: (stage: number, own: number) => number;
  /** Whether all times are whole numbers. */
  readonly whole: boolean;
}

/** Asks for what a schedule, or one still without weight gradients, takes. */
export function readTimes<T extends number>({ schedule, offsets, classes }: Compiled, times: SlotTimes<T>): TimeTables {
  const { stages, chunks } = schedule;
  const width = chunks * KINDS.length;
  const last = virtualStageCount(schedule) - 1;
  const durations = new Float64Array(stages * width);
  const lastDurations = new Float64Array(stages * width);
  const transfers = new Float64Array(stages * width);
  const asked = new Uint8Array(stages * width);
  const between = (from: number, to: number): number => {
    if (from < 0 || from > last || placeOf(schedule, from).stage === placeOf(schedule, to).stage) return 0;
    return times.transfer(from, to);
  };
  for (let stage = 0; stage < stages; stage++) {
    for (let i = offsets[stage]!; i < offsets[stage + 1]!; i++) asked[stage * width + classes[i]!] = 1;
    for (let chunk = 0; chunk < chunks; chunk++) {
      const virtual = virtualStage(schedule, stage, chunk);
      const arrivals: Record<SlotKind, () => number> = {
        forward: () => between(virtual - 1, virtual),
        backward: () => between(virtual + 1, virtual),
        'backward-input': () => between(virtual + 1, virtual),
        'backward-weight': () => 0,
      };
      for (const kind of KINDS) {
        const at = stage * width + classOf(chunk, kind);
        const split = kind === 'backward-weight' && asked[stage * width + classOf(chunk, 'backward-input')];
        if (!asked[at] && !split) continue;
        durations[at] = times.slot(stage, kind, chunk);
        lastDurations[at] = times.last === undefined ? durations[at]! : times.last(stage, kind, chunk);
        transfers[at] = arrivals[kind]();
      }
    }
  }
  return {
    duration: (stage, own) => durations[stage * width + own]!,
    lastDuration: (stage, own) => lastDurations[stage * width + own]!,
    lastApart: durations.some((duration, at) => duration !== lastDurations[at]),
    transfer: (stage, own) => transfers[stage * width + own]!,
    whole:
      durations.every(Number.isInteger) && lastDurations.every(Number.isInteger) && transfers.every(Number.isInteger),
  };
}
