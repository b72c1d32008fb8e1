/**
 * An amount of work that goes down at a rate which changes now and then: bytes of a flow, time of a kernel. The clock is
 * whole ticks; what is left is a double, brought up to date only when the rate changes, so that whoever sees the same
 * changes at the same times ends at the same tick.
 */
import type { Ticks } from './clock.js';
import { addTicks, ticks } from './clock.js';

/** Keeps 32 of the 53 bits of a double (Dekker, A floating-point technique for extending the available precision). */
const SPLIT = 2 ** 21 + 1;

/**
 * A part of the full rate, without what the order of sums adds to its last bits: flows that share links are counted in
 * other orders for one chip than for all, and must end at the same tick.
 */
export function fraction(rate: number, full: number): number {
  const part = rate / full;
  const scaled = part * SPLIT;
  return scaled - (scaled - part);
}

/** What is left of an amount after some ticks at a rate. */
export const leftAfter = (left: number, elapsed: number, perTick: number): number =>
  Math.max(0, left - elapsed * perTick);

/** Ticks until nothing is left. */
export const ticksLeft = (left: number, perTick: number): number => (left === 0 ? 0 : Math.round(left / perTick));

export class Fluid {
  #left: number;
  #perTick = 0;
  #since: Ticks;

  constructor(amount: number, now: Ticks) {
    this.#left = amount;
    this.#since = now;
  }

  /** What is left when the rate last changed. */
  get left(): number {
    return this.#left;
  }

  /** @param perTick above 0; the same rate as before changes nothing */
  setRate(perTick: number, now: Ticks): void {
    if (perTick === this.#perTick) return;
    this.#left = leftAfter(this.#left, now - this.#since, this.#perTick);
    this.#perTick = perTick;
    this.#since = now;
  }

  /** When nothing is left, at the rate of now. */
  get end(): Ticks {
    return addTicks(this.#since, ticks(ticksLeft(this.#left, this.#perTick)));
  }

  /** All that decides how it goes on, relative to the clock. */
  describe(now: Ticks): readonly number[] {
    return [this.#left, this.#perTick, now - this.#since];
  }

  /** Moves what is left in time, where all that happens repeats. */
  leap(by: Ticks): void {
    this.#since = addTicks(this.#since, by);
  }
}
