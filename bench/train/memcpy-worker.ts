/** One core's copies: waits until all workers are here, copies an array so many times, and says what a copy took. */
import { parentPort, workerData } from 'node:worker_threads';

export interface CopyTask {
  readonly bytes: number;
  readonly workers: number;
  /** Workers that have come to each round, one word a round. */
  readonly arrived: SharedArrayBuffer;
}

const { bytes, workers, arrived } = workerData as CopyTask;
const words = new Int32Array(arrived);
const source = new Float32Array(bytes / 4).fill(1);
const target = new Float32Array(bytes / 4);

parentPort!.on('message', ({ round, copies }: { round: number; copies: number }) => {
  const word = round % words.length;
  // The last one of this round makes the word of the round after next ready.
  if (Atomics.add(words, word, 1) === workers - 1) Atomics.store(words, (word + 2) % words.length, 0);
  while (Atomics.load(words, word) < workers);
  const start = performance.now();
  for (let copy = 0; copy < copies; copy++) target.set(source);
  parentPort!.postMessage((performance.now() - start) / 1000 / copies);
});
