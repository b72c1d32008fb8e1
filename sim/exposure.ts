/**
 * How much communication computing hides, counted as the clock goes: time counts as hidden while a collective runs
 * beside a kernel or the host, which is at work too while the chip waits for it to launch a kernel, as exposed while only
 * collectives run, as idle while nothing does. Where several
 * collectives run, exposed time is that of the one which began first, so that it adds up over the axes.
 */
import type { Lane } from '../src/mesh/index.js';
import type { Ticks } from './engine/index.js';
import { ticks } from './engine/index.js';

export interface ExposureTotals {
  /** Adds up to `exposed`. */
  readonly exposedByAxis: Readonly<Partial<Record<Lane, Ticks>>>;
  readonly exposed: Ticks;
  readonly hidden: Ticks;
}

/** @param exposed by axis; those without any are left out, and the others are in the order of their names */
export function exposureTotals(exposed: ReadonlyMap<Lane, number>, hidden: number): ExposureTotals {
  const axes = [...exposed]
    .filter(([, time]) => time > 0)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([axis, time]) => [axis, ticks(time)] as const);
  return {
    exposedByAxis: Object.fromEntries(axes) as Partial<Record<Lane, Ticks>>,
    exposed: ticks(axes.reduce((sum, [, time]) => sum + time, 0)),
    hidden: ticks(hidden),
  };
}

/** A run of a collective that is under way; one object an op, as an op runs once at a time. */
export interface Running {
  readonly axis: Lane;
}

export class Exposure {
  /** Those that run, in the order they began. */
  readonly running: Running[] = [];
  #busy = false;
  #counted = 0;
  #hidden = 0;
  readonly #byAxis = new Map<Lane, number>();

  /** Whether a kernel or the host is at work from `now` on. */
  setBusy(busy: boolean, now: Ticks): void {
    this.#count(now);
    this.#busy = busy;
  }

  begin(collective: Running, now: Ticks): void {
    this.#count(now);
    this.running.push(collective);
  }

  end(collective: Running, now: Ticks): void {
    this.#count(now);
    this.running.splice(this.running.indexOf(collective), 1);
  }

  totals(): ExposureTotals {
    return exposureTotals(this.#byAxis, this.#hidden);
  }

  /** As if what came after `since` had come `times` times more, up to `now`. */
  repeat(since: ExposureTotals, times: number, now: Ticks): void {
    this.#hidden += times * (this.#hidden - since.hidden);
    for (const [axis, time] of this.#byAxis)
      this.#byAxis.set(axis, time + times * (time - (since.exposedByAxis[axis] ?? 0)));
    this.#counted = now;
  }

  #count(now: Ticks): void {
    const elapsed = now - this.#counted;
    this.#counted = now;
    const [first] = this.running;
    if (elapsed === 0 || first === undefined) return;
    if (this.#busy) this.#hidden += elapsed;
    else this.#byAxis.set(first.axis, (this.#byAxis.get(first.axis) ?? 0) + elapsed);
  }
}
