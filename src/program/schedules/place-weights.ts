/**
 * Puts weight gradients into an order of forwards and backward-inputs, by what things take: where a stage would idle, or
 * where what it keeps would exceed its limit; the rest at the end. Nobody waits for them, so this is where a bubble is
 * filled. [Qi et al. 2023, §3.1]
 */
import { MeshwrightError } from '../../errors.js';
import type { Kept } from './check.js';
import type { Compiled } from './compiled.js';
import { classOf, indexSlots, NONE } from './compiled.js';
import { drive } from './drive.js';
import type { Schedule, Slot } from './schedule.js';
import type { SlotTimes, TimeTables } from './slot-times.js';
import { readTimes } from './slot-times.js';

/**
 * Of a gap shorter than a weight gradient: whether to fill it and be late (`always`), to idle (`never`), or to fill it
 * where the stage has idled as long as any (`behind`).
 */
export const SHORT_GAPS = ['never', 'behind', 'always'] as const;
export type ShortGaps = (typeof SHORT_GAPS)[number];

/** What a stage may keep at once, in the unit of `kept`: microbatches of chunks, or bytes. */
export interface Memory<A extends number> {
  limit(stage: number): A;
  kept(stage: number, chunk: number): Kept<A>;
}

/** An order with its weight gradients placed. */
export interface Placed {
  /** As in a timeline of the schedule. */
  readonly longestSpan: number;
  readonly stepTime: number;
  schedule(): Schedule;
}

/** In a stage's sequence, for the weight gradient of the earliest backward-input that lacks one. */
const WEIGHT = -1;

/**
 * @param order with no weight gradients yet
 * @returns places them
 */
export function weightPlacer<T extends number, A extends number>(
  order: Schedule,
  times: SlotTimes<T>,
  memory: Memory<A>,
): (shortGaps: ShortGaps) => Placed {
  const compiled = indexSlots(order);
  const tables = readTimes(compiled, times);
  // By stage, the chunks of its backward-inputs in their order, which is that of its weight gradients too.
  const backwards = order.slots.map((slots) => slots.filter(({ kind }) => kind === 'backward-input'));
  return (shortGaps) => new Placing(order, compiled, tables, memory, backwards, shortGaps).run();
}

class Placing<A extends number> {
  readonly #ends: Float64Array;
  readonly #position: Int32Array;
  readonly #clock: Float64Array;
  readonly #start: Float64Array;
  readonly #idle: Float64Array;
  #mostIdle = 0;
  readonly #live: Float64Array;
  readonly #limits: readonly number[];
  readonly #kept: readonly (readonly Kept<A>[])[];
  /** By stage, how many backward-inputs have run and how many weight gradients are placed. */
  readonly #due: Int32Array;
  readonly #placed: Int32Array;
  /** By stage, places in the order, or WEIGHT. */
  readonly #sequences: readonly Int32Array[];

  constructor(
    private readonly order: Schedule,
    private readonly compiled: Compiled,
    private readonly tables: TimeTables,
    memory: Memory<A>,
    private readonly backwards: readonly (readonly Slot[])[],
    private readonly shortGaps: ShortGaps,
  ) {
    const { stages, chunks } = order;
    this.#ends = new Float64Array(compiled.classes.length);
    this.#position = new Int32Array(stages);
    this.#clock = new Float64Array(stages);
    this.#start = new Float64Array(stages);
    this.#idle = new Float64Array(stages);
    this.#live = new Float64Array(stages);
    this.#due = new Int32Array(stages);
    this.#placed = new Int32Array(stages);
    this.#limits = order.slots.map((_, stage) => memory.limit(stage));
    this.#kept = order.slots.map((_, stage) =>
      Array.from({ length: chunks }, (__, chunk) => memory.kept(stage, chunk)),
    );
    this.#sequences = order.slots.map((slots, stage) => new Int32Array(slots.length + backwards[stage]!.length));
  }

  run(): Placed {
    const { order, compiled } = this;
    for (let stage = 0; stage < order.stages; stage++) {
      drive(compiled, this.#position, (at) => this.#next(at), stage, order.slots[stage]!.length);
    }
    for (let stage = 0; stage < order.stages; stage++) while (this.#waits(stage)) this.#place(stage);
    const end = Math.max(...this.#clock);
    return {
      longestSpan: Math.max(...this.#clock.map((time, stage) => time - this.#start[stage]!)),
      stepTime: end - Math.min(...this.#start),
      schedule: () => ({ ...order, slots: this.#sequences.map((sequence, stage) => this.#slots(sequence, stage)) }),
    };
  }

  #waits(stage: number): boolean {
    return this.#placed[stage]! < this.#due[stage]!;
  }

  #weightTime(stage: number): number {
    const { chunk } = this.backwards[stage]![this.#placed[stage]!]!;
    return this.tables.duration(stage, classOf(chunk, 'backward-weight'));
  }

  #place(stage: number): void {
    this.#sequences[stage]![this.#position[stage]! + this.#placed[stage]!] = WEIGHT;
    this.#clock[stage]! += this.#weightTime(stage);
    const { chunk } = this.backwards[stage]![this.#placed[stage]!++]!;
    this.#live[stage]! -= this.#kept[stage]![chunk]!.untilWeight;
  }

  #makeRoom(stage: number, size: number): void {
    while (this.#live[stage]! + size > this.#limits[stage]!) {
      if (!this.#waits(stage)) {
        throw new MeshwrightError('PLAN_DOES_NOT_FIT', {
          place: `schedule ${this.order.name}, stage ${stage}`,
          expected: `at most ${this.#limits[stage]} kept for microbatches under way`,
          got: String(this.#live[stage]! + size),
        });
      }
      this.#place(stage);
    }
  }

  #fill(stage: number, arrival: number): void {
    while (this.#waits(stage)) {
      const gap = arrival - this.#clock[stage]!;
      if (gap <= 0) return;
      if (gap < this.#weightTime(stage) && !this.#fillsShort(stage, gap)) return;
      this.#place(stage);
    }
  }

  #fillsShort(stage: number, gap: number): boolean {
    if (this.shortGaps !== 'behind') return this.shortGaps === 'always';
    return this.#idle[stage]! + gap > this.#mostIdle;
  }

  /** Runs a stage's next slot, after the weight gradients that go before it. */
  #next(stage: number): number {
    const { offsets, classes, sender, before } = this.compiled;
    const place = this.#position[stage]!;
    const index = offsets[stage]! + place;
    const from = sender[index]!;
    if (from !== NONE && this.#missing(from)) return from;
    if (before[index] !== NONE && this.#missing(before[index]!)) return before[index]!;
    const { kind, chunk } = this.order.slots[stage]![place]!;
    const { forward, untilWeight } = this.#kept[stage]![chunk]!;
    const own = classes[index]!;
    const arrival = from === NONE ? 0 : this.#ends[from]! + this.tables.transfer(stage, own);
    if (kind === 'forward') this.#makeRoom(stage, forward);
    this.#fill(stage, arrival);
    const start = Math.max(this.#clock[stage]!, arrival);
    if (place === 0) this.#start[stage] = start;
    else {
      this.#idle[stage]! += start - this.#clock[stage]!;
      this.#mostIdle = Math.max(this.#mostIdle, this.#idle[stage]!);
    }
    this.#clock[stage] = this.#ends[index] = start + this.tables.duration(stage, own);
    this.#live[stage]! += kind === 'forward' ? forward : untilWeight - forward;
    if (kind !== 'forward') this.#due[stage]!++;
    this.#sequences[stage]![place + this.#placed[stage]!] = place;
    this.#position[stage]!++;
    return NONE;
  }

  #missing(index: number): boolean {
    const stage = this.compiled.stageOf[index]!;
    return index - this.compiled.offsets[stage]! >= this.#position[stage]!;
  }

  #slots(sequence: Int32Array, stage: number): Slot[] {
    let weights = 0;
    return Array.from(sequence, (place) =>
      place === WEIGHT
        ? { ...this.backwards[stage]![weights++]!, kind: 'backward-weight' }
        : this.order.slots[stage]![place]!,
    );
  }
}
