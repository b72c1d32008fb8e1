/**
 * onnxruntime's WebGPU provider has one device for the whole process, and its state is not for two threads at once: two
 * that run kernels on it end in a segmentation fault (seen with onnxruntime 1.30). So the process's threads take turns.
 */
import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads';

const KEY = 'meshwright:webgpu-turn';
const FREE = 0;
const TAKEN = 1;

/** In the main thread, before others are started: they all see this turn. */
export function shareTurn(): void {
  if (getEnvironmentData(KEY) === undefined) setEnvironmentData(KEY, new SharedArrayBuffer(4));
}

/** Runs work when it is this thread's turn. Work of one thread must not overlap. */
export async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const shared = getEnvironmentData(KEY);
  // Without threads beside it, nobody has shared one.
  if (!(shared instanceof SharedArrayBuffer)) return work();
  const turn = new Int32Array(shared);
  while (Atomics.compareExchange(turn, 0, FREE, TAKEN) !== FREE) Atomics.wait(turn, 0, TAKEN);
  try {
    return await work();
  } finally {
    Atomics.store(turn, 0, FREE);
    Atomics.notify(turn, 0, 1);
  }
}
