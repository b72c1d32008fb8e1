/**
 * JavaScript objects that nothing holds any more. V8 gives its heap a multiple of what is in use before it looks again,
 * since looking costs time in proportion to what is in use; over thousands of steps a thread's heap grew by some 10 kB a step of
 * vit-tiny, all of it garbage. What a rank uses is small, so that looking costs little beside the steps that make so much.
 */
import { getHeapStatistics } from 'node:v8';

/** Beyond what was in use: young objects, which V8 itself keeps few, and as much again of older ones. */
const MOST_GARBAGE_BYTES = 8e6;

/** Of `child.ts`: lets threads of the process collect, and keeps young objects of all of them few. */
export const GARBAGE_FLAGS = ['--expose-gc', '--max-semi-space-size=4'] as const;

/** A thread's own. Does nothing in a process that wasn't started with `GARBAGE_FLAGS`. */
export class GarbageCollector {
  #used: number | undefined;

  /** To be called between runs. */
  collect(): void {
    const { gc } = globalThis;
    if (gc === undefined) return;
    const used = getHeapStatistics().used_heap_size;
    if (this.#used !== undefined && used < this.#used + MOST_GARBAGE_BYTES) return;
    void gc();
    this.#used = getHeapStatistics().used_heap_size;
  }
}
