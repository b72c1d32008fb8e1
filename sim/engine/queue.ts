/**
 * What happens when, for things known by a number of which each has at most one event to come: a flow, a chip's kernel.
 * Most events fall on the same few times, so those at one time are a linked list in arrays, and a heap holds the times
 * alone. The order is total: by time, then by when the list began, then by when the event was put there.
 */
const NONE = -1;
/** Lists found by their time, without a search; a power of two. A list that is pushed out just stays in the heap. */
const RECENT = 1024;

function grown<A extends Int32Array | Float64Array>(array: A): A {
  const larger = new (array.constructor as new (length: number) => A)(array.length * 2);
  larger.set(array);
  return larger;
}

export class EntityQueue {
  /** By entity. */
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #listOf: Int32Array;
  /** By list. */
  #head = new Int32Array(64);
  #tail = new Int32Array(64);
  #time = new Float64Array(64);
  #order = new Float64Array(64);
  readonly #free: number[] = [];
  #lists = 0;
  #begun = 0;
  /** Of lists. */
  #heap = new Int32Array(64);
  #heapLength = 0;
  readonly #recent = new Int32Array(RECENT).fill(NONE);
  #open = NONE;
  now = 0;

  constructor(entities: number) {
    this.#next = new Int32Array(entities);
    this.#previous = new Int32Array(entities);
    this.#listOf = new Int32Array(entities).fill(NONE);
  }

  /** @param time a whole number of ticks, not before now; @param entity without an event to come */
  push(entity: number, time: number): void {
    // Times are whole; the multiplier is Knuth's, and low bits of times beyond 32 bits still differ.
    const key = Math.imul(time, 0x9e3779b1) >>> 22;
    let list = this.#recent[key]!;
    if (list === NONE || this.#time[list] !== time) {
      list = this.#begin(time);
      this.#recent[key] = list;
    }
    const tail = this.#tail[list]!;
    if (this.#head[list] === NONE) {
      this.#head[list] = entity;
      this.#previous[entity] = NONE;
    } else {
      this.#next[tail] = entity;
      this.#previous[entity] = tail;
    }
    this.#next[entity] = NONE;
    this.#tail[list] = entity;
    this.#listOf[entity] = list;
  }

  /** Takes an event back. */
  remove(entity: number): void {
    const list = this.#listOf[entity]!;
    const next = this.#next[entity]!;
    const previous = this.#previous[entity]!;
    if (this.#head[list] === entity) this.#head[list] = next;
    else this.#next[previous] = next;
    if (next === NONE) this.#tail[list] = previous;
    else this.#previous[next] = previous;
    this.#listOf[entity] = NONE;
  }

  /** Moves the clock to the next events, which may be at the same time. @returns false when there are none */
  advance(): boolean {
    return this.#openNext(Infinity);
  }

  /** Goes on to events that are now, where all that were taken so far have been put there before. */
  more(): boolean {
    return this.#openNext(this.now);
  }

  /** The next entity whose event is now; -1 when all are taken. */
  take(): number {
    const list = this.#open;
    const entity = this.#head[list]!;
    if (entity === NONE) return NONE;
    const next = this.#next[entity]!;
    this.#head[list] = next;
    if (next !== NONE) this.#previous[next] = NONE;
    return entity;
  }

  #openNext(latest: number): boolean {
    while (this.#heapLength > 0) {
      const list = this.#heap[0]!;
      const time = this.#time[list]!;
      if (this.#head[list] === NONE) this.#close(list);
      else if (time > latest) return false;
      else {
        this.#open = list;
        this.now = time;
        return true;
      }
    }
    return false;
  }

  #begin(time: number): number {
    const list = this.#free.length > 0 ? this.#free.pop()! : this.#lists++;
    if (list === this.#head.length) this.#grow();
    this.#time[list] = time;
    this.#order[list] = this.#begun++;
    this.#head[list] = NONE;
    let index = this.#heapLength++;
    const heap = this.#heap;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent]!;
      if (!this.#before(list, above)) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = list;
    return list;
  }

  /** Of the first list of the heap, which is empty. */
  #close(list: number): void {
    this.#time[list] = NONE;
    this.#free.push(list);
    const heap = this.#heap;
    const last = heap[--this.#heapLength]!;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= this.#heapLength) break;
      if (child + 1 < this.#heapLength && this.#before(heap[child + 1]!, heap[child]!)) child++;
      if (!this.#before(heap[child]!, last)) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = last;
  }

  #before(a: number, b: number): boolean {
    const difference = this.#time[a]! - this.#time[b]!;
    return difference !== 0 ? difference < 0 : this.#order[a]! < this.#order[b]!;
  }

  #grow(): void {
    this.#head = grown(this.#head);
    this.#tail = grown(this.#tail);
    this.#heap = grown(this.#heap);
    this.#time = grown(this.#time);
    this.#order = grown(this.#order);
  }
}
