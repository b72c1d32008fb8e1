/** The pool of threads that decode images. Knows workers and their failures, nothing of batches. */
import { Piscina } from 'piscina';
// Loaded on the main thread before any worker loads it, so that its native library stays in memory when they end.
import 'sharp';
import { MeshwrightError } from '../../errors.js';
import { bytes } from '../../units.js';
import type { Bytes } from '../../units.js';
import type { DecodeFailure, ImageChunk } from './chunk.js';

export interface DecodePool {
  /**
   * Divides the chunk among the workers, a sample always to the same one; resolves once none of them writes to the
   * chunk's memory any more.
   *
   * @throws MeshwrightError INTERNAL when a worker fails.
   */
  decode(chunk: Omit<ImageChunk, 'cacheBytes'>): Promise<DecodeFailure[]>;
  /** Ends the workers once what they are doing is done; resolves when they are gone. */
  close(): Promise<void>;
}

function workerFailed(workerUrl: URL, error: unknown): MeshwrightError {
  const got = error instanceof Error ? error.message : String(error);
  const detail = { place: workerUrl.href, expected: 'a worker that decodes images', got };
  return new MeshwrightError('INTERNAL', detail, { cause: error });
}

/**
 * Starts `workers` threads on the compiled module at `workerUrl`, whose default export is `decodeChunk`. Each has a
 * queue of its own: a sample that could go to any worker would have to be decoded and kept by every one of them.
 *
 * @param cacheBytes the most decoded pixels to keep, all workers together.
 */
export function createDecodePool(workerUrl: URL, workers: number, cacheBytes: Bytes): DecodePool {
  // Strictly first come, first served: else Piscina may decode a batch before one that is wanted sooner.
  const queue = { filename: workerUrl.href, minThreads: 1, maxThreads: 1, stricterFIFO: true };
  const threads = Array.from({ length: workers }, () => new Piscina<ImageChunk, DecodeFailure[]>(queue));
  const cacheBytesPerWorker = bytes(Math.floor(cacheBytes / workers));
  // A worker that cannot even load its module has no task yet: Piscina reports an event, and leaves the tasks that
  // wait for a worker waiting for ever. So the event fails them, and all that come after.
  const waiting = new Set<(error: unknown) => void>();
  let failure: MeshwrightError | undefined;
  for (const thread of threads) {
    thread.on('error', (error: unknown) => {
      failure ??= workerFailed(workerUrl, error);
      for (const reject of waiting) reject(failure);
    });
  }
  const run = (thread: (typeof threads)[number], chunk: ImageChunk) =>
    new Promise<DecodeFailure[]>((resolve, reject) => {
      if (failure) return reject(failure);
      waiting.add(reject);
      thread
        .run(chunk)
        .then(resolve, (error: unknown) => reject(workerFailed(workerUrl, error)))
        .finally(() => waiting.delete(reject));
    });
  return {
    async decode(chunk) {
      const tasks = threads.flatMap((thread, worker) => {
        const items = chunk.items.filter(({ sample }) => sample % workers === worker);
        return items.length > 0 ? [run(thread, { ...chunk, items, cacheBytes: cacheBytesPerWorker })] : [];
      });
      // All of them, even if one throws: nothing may write to the memory after this returns.
      const outcomes = await Promise.allSettled(tasks);
      return outcomes.flatMap((outcome) => {
        if (outcome.status === 'rejected') throw outcome.reason;
        return outcome.value;
      });
    },
    close: async () => {
      await Promise.all(threads.map((thread) => thread.close()));
    },
  };
}
