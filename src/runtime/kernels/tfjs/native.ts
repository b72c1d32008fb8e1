/** tfjs on libtensorflow, through the optional packages @tensorflow/tfjs-node-gpu or @tensorflow/tfjs-node. */
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import util from 'node:util';
import { isMainThread } from 'node:worker_threads';
import * as tf from '@tensorflow/tfjs-core';
import type { ProcessThreads } from '../family.js';
import type { Numbers } from '../tensors.js';
import type { Backend } from './backend.js';
import { canRecord, chain, record } from './native-graph.js';

const NAME = 'tensorflow';
const PACKAGES = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'];

/**
 * The binding keeps its tensors in a table that all threads of the process share and none locks, so that each thread
 * but the main one gets a copy of it, whose table is its own. libtensorflow itself, which the main thread has loaded
 * and keeps, is the same for all.
 */
function withOwnBinding<T>(load: () => T): T {
  if (isMainThread) return load();
  const { dlopen } = process;
  const folder = mkdtempSync(join(tmpdir(), 'meshwright-tfjs-'));
  process.dlopen = (module, filename, ...rest: []) => {
    const copy = join(folder, basename(filename));
    copyFileSync(filename, copy);
    dlopen.call(process, module, copy, ...rest);
  };
  try {
    return load();
  } finally {
    process.dlopen = dlopen;
    // Windows keeps files that are loaded.
    if (process.platform !== 'win32') rmSync(folder, { recursive: true });
  }
}

function loadPackage(): void {
  // Its binding calls what Node 23 has no more.
  (util as { isNullOrUndefined?: (value: unknown) => boolean }).isNullOrUndefined ??= (value) => value == null;
  const require = createRequire(import.meta.url);
  const found = PACKAGES.find((name) => {
    try {
      require.resolve(name);
      return true;
    } catch {
      return false;
    }
  });
  if (found === undefined) throw new Error(`neither ${PACKAGES.join(' nor ')} is installed`);
  withOwnBinding(() => void require(found));
}

/**
 * In the process's main thread, before others load it: where the last thread that has libtensorflow ends, loading it again
 * would abort. Its threads are the whole process's: those of ops, of which each rank has its own where it has one, and
 * those that run graphs. XLA is not to take numbers for finite.
 */
export function prepareNative({ ranks, threadsPerRank }: ProcessThreads): void {
  process.env['TF_NUM_INTRAOP_THREADS'] ??= String(threadsPerRank === 1 ? 1 : ranks * threadsPerRank);
  process.env['TF_NUM_INTEROP_THREADS'] ??= String(ranks);
  process.env['XLA_FLAGS'] ??= '--xla_cpu_fast_math_honor_nans=true --xla_cpu_fast_math_honor_infs=true';
  process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '2';
  loadPackage();
}

/** @throws Error where the package or libtensorflow can't be had */
export async function loadNative(): Promise<Backend> {
  if (isMainThread) prepareNative({ ranks: 1, threadsPerRank: 1 });
  else loadPackage();
  if (!(await tf.setBackend(NAME))) throw new Error('tfjs could not start its libtensorflow backend');
  return {
    name: NAME,
    device: 'libtensorflow',
    keeps: true,
    ...(canRecord() && { record, chain }),
    matmul: (a, b, transposeA, transposeB) => tf.matMul(a, b, transposeA, transposeB),
    split: (x, sizes) => tf.split(x, [...sizes], 1),
    sumRows: (x, weights) => {
      const rows = x.shape[0]!;
      const row = weights === undefined ? tf.fill([1, rows], 1) : tf.reshape(weights, [1, rows]);
      // Reads the matrix once; `sum` over its first dimension took three times as long.
      return tf.reshape(tf.matMul(row, x), [x.shape[1]!]);
    },
    decay: (x) => tf.exp(x),
    read: (x, target: Numbers) => target.set(x.dataSync()),
  };
}
