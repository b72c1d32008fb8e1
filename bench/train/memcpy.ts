/** What the machine's memory gives: copies of an array by several threads at once, which collectives are held against. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { CopyTask } from './memcpy-worker.js';

const ROUND_WORDS = 4;

export class Copiers {
  readonly #workers: readonly Worker[];
  #round = 0;

  /** @param bytes of the array that each of them copies, in memory of its own */
  constructor(workers: number, bytes: number) {
    const arrived = new SharedArrayBuffer(4 * ROUND_WORDS);
    const task: CopyTask = { bytes, workers, arrived };
    const url = new URL('memcpy-worker.js', import.meta.url);
    this.#workers = Array.from({ length: workers }, () => new Worker(url, { workerData: task }));
  }

  /** All copy at the same time, so many times each. @returns the seconds that a copy took where it took longest */
  async copy(copies: number): Promise<number> {
    const round = this.#round++;
    const took = await Promise.all(
      this.#workers.map(async (worker) => {
        const answer = once(worker, 'message');
        worker.postMessage({ round, copies });
        return (await answer)[0] as number;
      }),
    );
    return Math.max(...took);
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }
}
