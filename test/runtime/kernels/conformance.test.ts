import { afterAll, describe, expect, it } from 'vitest';
import { createKernelFamily } from '../../../src/runtime/kernels/index.js';
import { ONNX } from '../../../src/runtime/kernels/onnx/index.js';
import { REFERENCE } from '../../../src/runtime/kernels/reference/index.js';
import { dtypeOf, numbersOf, stored } from '../../../src/runtime/kernels/tensors.js';
import { CASES } from './cases.js';
import { ALL_CASES, describeConformance, OP_NAMES, operandsOf, runCase } from './conformance.js';

const reference = await createKernelFamily('reference');
afterAll(() => reference.dispose());

it('every kernel family has a kernel and a case for each op', () => {
  for (const table of [REFERENCE, ONNX, CASES]) expect(Object.keys(table).sort()).toEqual([...OP_NAMES].sort());
  for (const name of OP_NAMES) expect(CASES[name], name).not.toHaveLength(0);
});

await describeConformance('onnx');

describe.each(['f32', 'bf16', 'f16'] as const)('the reference in %s', (dtype) => {
  it.each(ALL_CASES)('rounds its float64 results once on $name ($index)', async ({ name, example }) => {
    const operands = operandsOf(example, dtype);
    const expected = await runCase(reference, 'f64', name, example, operands);
    const got = await runCase(reference, dtype, name, example, operands);
    expect(got).toEqual(expected.map((result, index) => stored(dtypeOf(got[index]!), numbersOf(result))));
  });
});
