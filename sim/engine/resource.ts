/** A thing that does one job at a time, in the order they are asked for. */
import type { Ticks } from './clock.js';
import { addTicks, ticks } from './clock.js';
import type { EventQueue } from './queue.js';

export class Resource {
  readonly #queue: EventQueue;
  #freeAt = ticks(0);

  constructor(queue: EventQueue) {
    this.#queue = queue;
  }

  /** When all jobs so far are done. */
  get freeAt(): Ticks {
    return this.#freeAt;
  }

  /**
   * Takes the resource for `duration` after all jobs before, and not before `earliest`; jobs asked for later wait for
   * it even so. `begin` and `end` are called when it comes to that.
   *
   * @returns when it ends
   */
  use(earliest: Ticks, duration: Ticks, begin: () => void, end: () => void): Ticks {
    const start = ticks(Math.max(this.#queue.now, this.#freeAt, earliest));
    this.#freeAt = addTicks(start, duration);
    this.#queue.schedule(start, begin);
    this.#queue.schedule(this.#freeAt, end);
    return this.#freeAt;
  }

  /** Moves what it is taken for, as `EventQueue.leap` does. */
  leap(by: Ticks): void {
    this.#freeAt = addTicks(this.#freeAt, by);
  }
}
