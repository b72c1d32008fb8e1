/** A thing that does one job at a time, first come first served. */
import type { Ticks } from './clock.js';
import { addTicks, ticks } from './clock.js';
import type { EventQueue } from './queue.js';

export class Resource {
  readonly name: string;
  readonly #queue: EventQueue;
  #freeAt = ticks(0);
  #busy = ticks(0);

  constructor(name: string, queue: EventQueue) {
    this.name = name;
    this.#queue = queue;
  }

  /** Ticks that jobs have taken or been promised so far. */
  get busy(): Ticks {
    return this.#busy;
  }

  /** Takes the resource for `duration` after all jobs before; `done` gets when the job began and ended. */
  use(duration: Ticks, done: (start: Ticks, end: Ticks) => void): void {
    const start = ticks(Math.max(this.#queue.now, this.#freeAt));
    const end = addTicks(start, duration);
    this.#freeAt = end;
    this.#busy = addTicks(this.#busy, duration);
    this.#queue.schedule(end, () => done(start, end));
  }
}
