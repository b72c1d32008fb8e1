/** What a reference kernel is, and the loops that several of them share. Everything is computed in float64. */
import type { Attributes, ComputeName } from '../../../program/ops/index.js';
import type { ValueType } from '../../../program/types.js';
import { elementCount } from '../../../program/types.js';
import type { KernelSpec } from '../family.js';
import type { Numbers } from '../tensors.js';

export interface ReferenceCall<N extends ComputeName> {
  readonly operands: readonly Numbers[];
  readonly types: readonly ValueType[];
  readonly resultTypes: readonly ValueType[];
  readonly attributes: Attributes[N];
  readonly coordinate: KernelSpec['coordinate'];
}

/** Gives the results in float64; they are rounded to their type afterwards. */
export type ReferenceKernel<N extends ComputeName> = (call: ReferenceCall<N>) => Float64Array[];

/** f of each element. */
export const map = (x: Numbers, f: (value: number, index: number) => number): Float64Array => {
  const result = new Float64Array(x.length);
  for (let i = 0; i < x.length; i++) result[i] = f(x[i]!, i);
  return result;
};

/** How a tensor [..., n] falls into rows of n. */
export function rows(type: ValueType): { count: number; width: number } {
  const width = type.shape.at(-1)!;
  return { count: elementCount(type.shape) / width, width };
}

/** Elements between neighbours along each dimension of a tensor in row-major order. */
export function strides(shape: readonly number[]): number[] {
  const result = new Array<number>(shape.length).fill(1);
  for (let d = shape.length - 2; d >= 0; d--) result[d] = result[d + 1]! * shape[d + 1]!;
  return result;
}

/**
 * Visits every element of a tensor of `shape` in row-major order, with its index there and its position in another
 * tensor, in which each dimension advances by `otherStrides` (0 to stay where it is).
 */
export function walk(
  shape: readonly number[],
  otherStrides: readonly number[],
  visit: (index: number, other: number) => void,
): void {
  const count = elementCount(shape);
  const position = new Array<number>(shape.length).fill(0);
  let other = 0;
  for (let index = 0; index < count; index++) {
    visit(index, other);
    for (let d = shape.length - 1; d >= 0; d--) {
      other += otherStrides[d]!;
      if (++position[d]! < shape[d]!) break;
      other -= otherStrides[d]! * shape[d]!;
      position[d] = 0;
    }
  }
}
