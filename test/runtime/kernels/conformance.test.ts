import { afterAll, describe, expect, it } from 'vitest';
import { COMPUTE } from '../../../src/program/ops/index.js';
import type { Attributes, ComputeName } from '../../../src/program/ops/index.js';
import type { FloatType } from '../../../src/program/types.js';
import { elementCount } from '../../../src/program/types.js';
import type { HostTensor, KernelFamily } from '../../../src/runtime/kernels/index.js';
import { createKernelFamily } from '../../../src/runtime/kernels/index.js';
import { ONNX } from '../../../src/runtime/kernels/onnx/index.js';
import { REFERENCE } from '../../../src/runtime/kernels/reference/index.js';
import { dtypeOf, numbersOf, stored } from '../../../src/runtime/kernels/tensors.js';
import type { Case } from './cases.js';
import { CASES } from './cases.js';
import { KernelBuilder, relativeError } from './helpers.js';
import { draw } from './operands.js';

const names = Object.keys(COMPUTE) as ComputeName[];
const onnx = await createKernelFamily('onnx');
const reference = await createKernelFamily('reference');
afterAll(() => Promise.all([onnx.dispose(), reference.dispose()]));

/** An example's operands, rounded to their types. */
const operandsOf = ({ operands }: Case<ComputeName>, dtype: FloatType): HostTensor[] =>
  operands.map((operand, index) => stored(operand.dtype ?? dtype, draw(operand, 17 * index + 1)));

/**
 * An example's op alone in a kernel that computes in `dtype`. Attributes that name an element type follow it.
 *
 * @param given the operands, of whatever types: they are stored in the kernel's
 */
async function runCase<N extends ComputeName>(
  family: KernelFamily,
  dtype: FloatType,
  name: N,
  { operands, attributes, coordinate }: Case<N>,
  given: readonly HostTensor[],
): Promise<HostTensor[]> {
  const builder = new KernelBuilder(dtype, 0, 'op', coordinate);
  const ids = operands.map((operand) => builder.operand(operand.shape, operand.dtype, operand.states));
  const typed = ('dtype' in attributes ? { ...attributes, dtype } : attributes) as Attributes[N];
  const results = builder.all(name, ids, typed);
  const kernel = await family.compile(builder.spec(results));
  const made = await kernel.run(
    given.map((tensor, index) => stored(builder.type(ids[index]!).dtype, numbersOf(tensor))),
  );
  results.forEach((id, index) => {
    const { dtype: expected, shape } = builder.type(id);
    expect(dtypeOf(made[index]!)).toBe(expected);
    expect(made[index]).toHaveLength(elementCount(shape));
  });
  return made;
}

/** Float32 has digits to spare, but sums lose some. A half's are its rounding: half a unit in the last place. */
const TOLERANCES = { f32: 1e-5, bf16: 1.001 * 2 ** -8, f16: 1.001 * 2 ** -11 };

describe('every kernel family computes every op', () => {
  it('has a kernel and a case for each op', () => {
    for (const table of [REFERENCE, ONNX, CASES]) expect(Object.keys(table).sort()).toEqual([...names].sort());
    for (const name of names) expect(CASES[name], name).not.toHaveLength(0);
  });

  const cases = names.flatMap((name) =>
    CASES[name].map((example, index) => ({ name, index, example: example as Case<ComputeName> })),
  );

  describe.each(['f32', 'bf16', 'f16'] as const)('in %s', (dtype) => {
    it.each(cases)('onnx agrees with the reference on $name ($index)', async ({ name, example }) => {
      const operands = operandsOf(example, dtype);
      const expected = await runCase(reference, 'f64', name, example, operands);
      const got = await runCase(onnx, dtype, name, example, operands);
      got.forEach((result, index) => {
        expect(relativeError(numbersOf(result), numbersOf(expected[index]!))).toBeLessThan(TOLERANCES[dtype]);
      });
    });

    it.each(cases)('the reference rounds its float64 results once on $name ($index)', async ({ name, example }) => {
      const operands = operandsOf(example, dtype);
      const expected = await runCase(reference, 'f64', name, example, operands);
      const got = await runCase(reference, dtype, name, example, operands);
      expect(got).toEqual(expected.map((result, index) => stored(dtypeOf(got[index]!), numbersOf(result))));
    });
  });
});
