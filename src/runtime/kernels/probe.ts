/** Whether a kernel family can be had on this machine: it is made, and a small kernel of it is run. */
import { MeshwrightError } from '../../errors.js';
import type { Op, ValueType } from '../../program/types.js';
import type { FamilyName } from './families.js';
import type { KernelSpec } from './family.js';
import { createKernelFamily, prepareProcess } from './index.js';

const matrix: ValueType = { shape: [2, 2], dtype: 'f32', states: {} };

/** %2 = %0 %1. */
const PRODUCT: KernelSpec = {
  ops: [
    {
      name: 'matmul',
      id: 'probe',
      phase: 'forward',
      operands: [0, 1],
      results: [2],
      attributes: { transposeA: false, transposeB: false, scale: 1 },
    } satisfies Op<'matmul'>,
  ],
  operands: [0, 1],
  results: [2],
  type: () => matrix,
  coordinate: () => 0,
};

/**
 * A library that aborts takes the process with it, so this is for a process that nobody misses.
 *
 * @param threads that a kernel may run on
 * @returns what the family computes on
 * @throws MeshwrightError DEVICE_MISSING where it can't be had, DEVICE_FAILED where it does not compute
 */
export async function probeFamily(name: FamilyName, threads: number): Promise<string> {
  await prepareProcess(name, { ranks: 1, threadsPerRank: threads });
  const family = await createKernelFamily(name, { threads });
  const kernel = await family.compile(PRODUCT);
  const [product] = await kernel.run([Float32Array.of(1, 2, 3, 4), Float32Array.of(5, 6, 7, 8)]);
  await family.dispose();
  const got = [...product!].join(', ');
  if (got === '19, 22, 43, 50') return family.device;
  throw new MeshwrightError('DEVICE_FAILED', {
    place: `kernel family ${name}`,
    expected: '19, 22, 43, 50 as the product of two small matrices',
    got,
  });
}
