/** Single ops of the reference family, run in float64 on numbers written down. */
import { expect } from 'vitest';
import { recordOf } from '../../../src/program/ops/index.js';
import type { Attributes, ComputeName } from '../../../src/program/ops/index.js';
import type { HostTensor } from '../../../src/runtime/kernels/index.js';
import { evaluate } from '../../../src/runtime/kernels/reference/index.js';
import { filled, normals, single, type } from './helpers.js';

export type Tensor = readonly [shape: readonly number[], values: ArrayLike<number>];

export function run<N extends ComputeName>(name: N, attributes: Attributes[N], ...tensors: Tensor[]): HostTensor[] {
  const types = tensors.map(([shape]) => type(shape));
  const results = recordOf(name).infer(types, attributes, single);
  const operands = tensors.map(([, values]) => Float64Array.from(values));
  return evaluate(
    { name, id: name, phase: 'forward', operands: [], results: [], attributes },
    types,
    results,
    operands,
  );
}

export const random = (shape: readonly number[], seed: number): Tensor => [shape, filled(shape, normals(seed))];
export const iota = (shape: readonly number[]): Tensor => [
  shape,
  Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i),
];
export const close = (got: HostTensor | undefined, expected: ArrayLike<number>, digits = 12): void => {
  expect(got).toHaveLength(expected.length);
  Array.from(expected).forEach((value, index) => expect(got![index]).toBeCloseTo(value, digits));
};
