/** What a case's operands are: shapes, and numbers of a kind that means something to the op. */
import type { AxisStates } from '../../../src/mesh/index.js';
import type { DType } from '../../../src/program/types.js';
import { filled, normals, uniforms } from './helpers.js';

type Kind =
  | 'normal'
  | 'positive'
  | 'probability'
  | 'wide'
  | 'centered moments'
  | { readonly value: number }
  | { readonly values: readonly number[] };

export interface Operand {
  readonly shape: readonly number[];
  readonly numbers: Kind;
  /** Where it is not that of the computation. */
  readonly dtype?: DType;
  readonly states?: AxisStates;
}

export const of = (shape: readonly number[], numbers: Kind = 'normal'): Operand => ({ shape, numbers });
/** Token ids. */
export const ids = (shape: readonly number[], ...values: number[]): Operand => ({
  shape,
  numbers: { values },
  dtype: 'i32',
});

/** The part that a rank has of a dimension sharded over `model`. */
export const overModel = (operand: Operand, dimension: number): Operand => ({
  ...operand,
  states: { model: dimension },
});

/** Numbers that float32 holds exactly. */
export function draw({ shape, numbers }: Operand, seed: number): Float64Array {
  const uniform = uniforms(seed);
  const normal = normals(seed);
  const width = shape.at(-1) ?? 1;
  if (typeof numbers === 'object') {
    return 'value' in numbers ? filled(shape, () => numbers.value) : Float64Array.from(numbers.values);
  }
  switch (numbers) {
    case 'normal':
      return filled(shape, normal);
    case 'wide':
      // So large that an exponential overflows float32.
      return filled(shape, () => 60 * normal());
    case 'positive':
      return filled(shape, () => 0.5 + uniform());
    case 'probability': {
      const raw = filled(shape, () => 0.1 + uniform());
      return raw.map((value, index) => {
        const start = index - (index % width);
        return Math.fround(value / raw.subarray(start, start + width).reduce((total, other) => total + other, 0));
      });
    }
    case 'centered moments': {
      const means = filled(shape, normal);
      return means.map((value, index) =>
        index % 2 === 0 ? value : Math.fround(means[index - 1]! ** 2 + 0.5 + uniform()),
      );
    }
  }
}
