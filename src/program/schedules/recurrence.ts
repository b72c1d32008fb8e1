/**
 * Finds that a schedule's walk has come back to a state it was in, only later, and repeats what lay between instead of
 * walking it again.
 *
 * A state is what the rest of the walk depends on: when each stage is free, and when the products that wait for another
 * stage were made. If all of that is the same but for one shift in time, and each stage goes on with the same slots for
 * later microbatches, then all that follows is what followed then, shifted. The comparison is exact, so it wants whole
 * numbers. States recur after a number of microbatches that need not be 1 (groups of p where chunks are interleaved;
 * max-plus systems have periods of their own), so one state is kept and compared with each that follows, and replaced
 * after 1, 2, 4, 8, … of them (Brent's cycle detection).
 */
import type { Compiled } from './compiled.js';
import { placeOf, PRODUCTS, virtualStageCount } from './schedule.js';

export interface Walk {
  /** By stage, how many of its slots have run, and when the last of them ended. */
  readonly position: Int32Array;
  readonly clock: Float64Array;
  /** [product][virtual stage]: for how many microbatches it has been made. */
  readonly made: Int32Array;
  readonly starts: Float64Array;
  readonly ends: Float64Array;
}

/** What one virtual stage sends another: places in `made`, of what was sent and of what was made of it. */
interface Channel {
  readonly sent: number;
  readonly used: number;
}

type State = Pick<Walk, 'position' | 'clock' | 'made'>;

const copy = ({ position, clock, made }: State): State => ({
  position: position.slice(),
  clock: clock.slice(),
  made: made.slice(),
});

export class Recurrence {
  readonly #compiled: Compiled;
  readonly #walk: Walk;
  readonly #channels: readonly Channel[];
  /** A microbatch that takes otherwise than those before it, so that it is walked. */
  readonly #apart: number;
  #kept: State;
  #age = 0;
  #limit = 1;

  /** @param lastApart whether slots of the last microbatch take otherwise than others */
  constructor(compiled: Compiled, walk: Walk, lastApart: boolean) {
    this.#compiled = compiled;
    this.#walk = walk;
    this.#channels = channelsOf(compiled);
    this.#kept = copy(walk);
    this.#apart = lastApart ? compiled.schedule.microbatches - 1 : -1;
  }

  /** Leaps where the walk is now where it was at an earlier call. @param stage one that has moved since */
  check(stage: number): void {
    const shift = this.#walk.clock[stage]! - this.#kept.clock[stage]!;
    const leaps = this.#recurs(shift) ? this.#repeats() : 0;
    if (leaps > 0) this.#leap(leaps, shift);
    if (leaps > 0 || ++this.#age >= this.#limit) {
      this.#limit = leaps > 0 ? 1 : this.#limit * 2;
      this.#age = 0;
      this.#kept = copy(this.#walk);
    }
  }

  #recurs(shift: number): boolean {
    const { position, clock, made, ends } = this.#walk;
    const { offsets, makers, schedule } = this.#compiled;
    const kept = this.#kept;
    for (let stage = 0; stage < position.length; stage++) {
      const done = kept.position[stage]! === offsets[stage + 1]! - offsets[stage]!;
      if (!done && clock[stage]! - kept.clock[stage]! !== shift) return false;
    }
    for (const { sent, used } of this.#channels) {
      const waiting = made[sent]! - made[used]!;
      if (waiting !== kept.made[sent]! - kept.made[used]!) return false;
      const now = sent * schedule.microbatches + made[used]!;
      const then = sent * schedule.microbatches + kept.made[used]!;
      for (let i = 0; i < waiting; i++) {
        if (ends[makers[now + i]!]! - ends[makers[then + i]!]! !== shift) return false;
      }
    }
    return true;
  }

  /** How often every stage goes on with what it did since the kept state. */
  #repeats(): number {
    const { position } = this.#walk;
    const { offsets, classes, microbatches } = this.#compiled;
    let least = Number.POSITIVE_INFINITY;
    for (let stage = 0; stage < position.length && least > 0; stage++) {
      const period = position[stage]! - this.#kept.position[stage]!;
      if (period === 0) continue;
      const from = offsets[stage]! + position[stage]!;
      const stop = Math.min(offsets[stage + 1]!, from + period * least);
      let index = from;
      const alike = (at: number): boolean => classes[at] === classes[at - period] && microbatches[at] !== this.#apart;
      while (index < stop && alike(index)) index++;
      least = Math.floor((index - from) / period);
    }
    return Number.isFinite(least) ? least : 0;
  }

  #leap(leaps: number, shift: number): void {
    const { position, clock, made, starts, ends } = this.#walk;
    const { offsets } = this.#compiled;
    const kept = this.#kept;
    for (let stage = 0; stage < position.length; stage++) {
      const period = position[stage]! - kept.position[stage]!;
      if (period === 0) continue;
      const from = offsets[stage]! + position[stage]!;
      for (let index = from; index < from + period * leaps; index++) {
        starts[index] = starts[index - period]! + shift;
        ends[index] = ends[index - period]! + shift;
      }
      position[stage]! += period * leaps;
      clock[stage]! += shift * leaps;
    }
    made.forEach((count, i) => (made[i] = count + (count - kept.made[i]!) * leaps));
  }
}

function channelsOf({ schedule }: Compiled): Channel[] {
  const virtuals = virtualStageCount(schedule);
  const at = (product: (typeof PRODUCTS)[number], virtual: number) => PRODUCTS.indexOf(product) * virtuals + virtual;
  return Array.from({ length: virtuals - 1 }, (_, virtual) => virtual)
    .filter((virtual) => placeOf(schedule, virtual).stage !== placeOf(schedule, virtual + 1).stage)
    .flatMap((virtual) => [
      { sent: at('output', virtual), used: at('output', virtual + 1) },
      { sent: at('input-gradient', virtual + 1), used: at('input-gradient', virtual) },
    ]);
}
