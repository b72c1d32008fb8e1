/** The pool of threads that decode images. Knows workers and their failures, nothing of batches. */
import { Piscina } from 'piscina';
// Loaded on the main thread before any worker loads it, so that its native library stays in memory when they end.
import 'sharp';
import { MeshwrightError } from '../../errors.js';
import type { DecodeFailure, ImageChunk } from './chunk.js';

export interface DecodePool {
  /** @throws MeshwrightError INTERNAL when the worker fails. */
  decode(chunk: ImageChunk): Promise<DecodeFailure[]>;
  /** Ends the workers once what they are doing is done; resolves when they are gone. */
  close(): Promise<void>;
}

function workerFailed(workerUrl: URL, error: unknown): MeshwrightError {
  const got = error instanceof Error ? error.message : String(error);
  const detail = { place: workerUrl.href, expected: 'a worker that decodes images', got };
  return new MeshwrightError('INTERNAL', detail, { cause: error });
}

/** Starts `workers` threads on the compiled module at `workerUrl`, whose default export is `decodeChunk`. */
export function createDecodePool(workerUrl: URL, workers: number): DecodePool {
  const pool = new Piscina<ImageChunk, DecodeFailure[]>({
    filename: workerUrl.href,
    minThreads: workers,
    maxThreads: workers,
  });
  // A worker that cannot even load its module has no task yet: Piscina reports an event, and leaves the tasks that
  // wait for a worker waiting for ever. So the event fails them, and all that come after.
  const waiting = new Set<(error: unknown) => void>();
  let failure: MeshwrightError | undefined;
  pool.on('error', (error: unknown) => {
    failure ??= workerFailed(workerUrl, error);
    for (const reject of waiting) reject(failure);
  });
  return {
    decode: (chunk) =>
      new Promise((resolve, reject) => {
        if (failure) return reject(failure);
        waiting.add(reject);
        pool
          .run(chunk)
          .then(resolve, (error: unknown) => reject(workerFailed(workerUrl, error)))
          .finally(() => waiting.delete(reject));
      }),
    close: () => pool.close(),
  };
}
