/** Measured runs predicted on as many threads as there are cores. */
import { availableParallelism } from 'node:os';
import { Piscina } from 'piscina';
import type { Mechanism, Prediction, Row } from '../validate/index.js';
import type { RowsTask } from './validate-task.js';

/** Rows that a thread is given at once: neighbours have most in common. */
const CHUNK = 4;

interface PoolOptions {
  /** Mechanisms to leave out. */
  readonly without?: readonly Mechanism[];
  readonly onPredicted?: (count: number) => void;
}

/** In the order of `rows`. */
export async function predictOnThreads(
  rows: readonly Row[],
  { without = [], onPredicted = () => undefined }: PoolOptions = {},
): Promise<Prediction[]> {
  if (rows.length === 0) return [];
  const threads = Math.min(availableParallelism(), Math.ceil(rows.length / CHUNK));
  const pool = new Piscina({
    filename: new URL('./validate-worker.js', import.meta.url).href,
    minThreads: threads,
    maxThreads: threads,
  });
  const starts = Array.from({ length: Math.ceil(rows.length / CHUNK) }, (_, index) => index * CHUNK);
  try {
    const found = await Promise.all(
      starts.map(async (start) => {
        const predicted = (await pool.run({
          rows: rows.slice(start, start + CHUNK),
          without,
        } satisfies RowsTask)) as Prediction[];
        onPredicted(predicted.length);
        return predicted;
      }),
    );
    return found.flat();
  } finally {
    await pool.destroy();
  }
}
