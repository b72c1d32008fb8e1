import { afterAll, describe, expect, it } from 'vitest';
import { COMPUTE } from '../../../src/program/ops/index.js';
import type { Attributes, ComputeName } from '../../../src/program/ops/index.js';
import type { DType } from '../../../src/program/types.js';
import type { HostTensor, KernelFamily } from '../../../src/runtime/kernels/index.js';
import { createKernelFamily } from '../../../src/runtime/kernels/index.js';
import { ONNX } from '../../../src/runtime/kernels/onnx/index.js';
import { REFERENCE } from '../../../src/runtime/kernels/reference/index.js';
import type { Case } from './cases.js';
import { CASES, numbersOf } from './cases.js';
import { KernelBuilder, relativeError } from './helpers.js';

const names = Object.keys(COMPUTE) as ComputeName[];
const onnx = await createKernelFamily('onnx');
const reference = await createKernelFamily('reference');
afterAll(() => Promise.all([onnx.dispose(), reference.dispose()]));

/** A case's op alone in a kernel. Attributes that name an element type follow `dtype`. */
async function runCase<N extends ComputeName>(
  family: KernelFamily,
  dtype: DType,
  name: N,
  { operands, attributes }: Case<N>,
): Promise<HostTensor[]> {
  const builder = new KernelBuilder(dtype);
  const ids = operands.map(({ shape }) => builder.operand(shape));
  const typed = ('dtype' in attributes ? { ...attributes, dtype } : attributes) as Attributes[N];
  const results = builder.all(name, ids, typed);
  const kernel = await family.compile(builder.spec(results));
  const numbers = operands.map((operand, index) => numbersOf(operand, 17 * index + 1));
  return kernel.run(dtype === 'f64' ? numbers : numbers.map((values) => Float32Array.from(values)));
}

describe('every kernel family computes every op', () => {
  it('has a kernel and a case for each op', () => {
    for (const table of [REFERENCE, ONNX, CASES]) expect(Object.keys(table).sort()).toEqual([...names].sort());
    for (const name of names) expect(CASES[name], name).not.toHaveLength(0);
  });

  const cases = names.flatMap((name) =>
    CASES[name].map((given, index) => ({ name, index, given: given as Case<ComputeName> })),
  );

  it.each(cases)('onnx agrees with the reference on $name ($index)', async ({ name, given }) => {
    const expected = await runCase(reference, 'f64', name, given);
    const got = await runCase(onnx, 'f32', name, given);
    expect(got).toHaveLength(expected.length);
    got.forEach((result, index) => {
      expect(result).toBeInstanceOf(Float32Array);
      expect(relativeError(result, expected[index]!)).toBeLessThan(1e-5);
    });
  });

  it.each(cases)('the reference in f32 rounds its float64 results on $name ($index)', async ({ name, given }) => {
    const expected = await runCase(reference, 'f64', name, given);
    const got = await runCase(reference, 'f32', name, given);
    expect(got).toEqual(expected.map((result) => Float32Array.from(result)));
  });
});
