/** The event queue: actions in a total order by (time, priority, sequence). Knows nothing of what the actions do. */
import { MeshwrightError } from '../../src/errors.js';
import type { Ticks } from './clock.js';
import { addTicks, ticks } from './clock.js';

interface Event {
  readonly time: Ticks;
  /** Lower goes first at the same time. */
  readonly priority: number;
  /** Order of scheduling, which breaks what ties are left. */
  readonly sequence: number;
  readonly action: () => void;
}

const before = (a: Event, b: Event): boolean =>
  a.time !== b.time ? a.time < b.time : a.priority !== b.priority ? a.priority < b.priority : a.sequence < b.sequence;

export class EventQueue {
  /** A binary heap: the children of `index` are at 2·index + 1 and 2·index + 2. */
  readonly #heap: Event[] = [];
  #now = ticks(0);
  #sequence = 0;

  get now(): Ticks {
    return this.#now;
  }

  get pending(): number {
    return this.#heap.length;
  }

  /** @throws MeshwrightError INTERNAL for a time that has passed, or that is no whole number of ticks */
  schedule(time: Ticks, action: () => void, priority = 0): void {
    if (!Number.isSafeInteger(time) || time < this.#now) {
      const expected = `a whole time from ${this.#now} on`;
      throw new MeshwrightError('INTERNAL', { place: 'event queue', expected, got: String(time) });
    }
    this.#push({ time, priority, sequence: this.#sequence++, action });
  }

  after(delay: Ticks, action: () => void, priority = 0): void {
    this.schedule(addTicks(this.#now, delay), action, priority);
  }

  /** Runs what is due up to a time, which it then is. */
  runUntil(time: Ticks): void {
    while (this.#heap.length > 0 && this.#heap[0]!.time <= time) this.#step();
    this.#now = time;
  }

  /** What is left to do, in order, and how long until then. */
  upcoming(): { readonly delay: Ticks; readonly action: () => void }[] {
    const events = this.#heap.toSorted((a, b) => (before(a, b) ? -1 : 1));
    return events.map(({ time, action }) => ({ delay: ticks(time - this.#now), action }));
  }

  /** Moves the clock and all that is left to do: nothing happens in between. */
  leap(by: Ticks): void {
    this.#now = addTicks(this.#now, by);
    this.#heap.forEach((event, index) => (this.#heap[index] = { ...event, time: addTicks(event.time, by) }));
  }

  /** Runs until nothing is left; an action that throws stops the run and is not dropped. */
  run(): Ticks {
    while (this.#heap.length > 0) this.#step();
    return this.#now;
  }

  #step(): void {
    const { time, action } = this.#pop();
    this.#now = time;
    action();
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let index = heap.length;
    heap.push(event);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!before(event, heap[parent]!)) break;
      heap[index] = heap[parent]!;
      index = parent;
    }
    heap[index] = event;
  }

  /** The heap is not empty. */
  #pop(): Event {
    const heap = this.#heap;
    const first = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return first;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, last)) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = last;
    return first;
  }
}
