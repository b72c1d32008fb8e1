/** What an entry of the table of tfjs kernels is, and what several of them share. */
import * as tf from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import type { Attributes, ComputeName } from '../../../program/ops/index.js';
import type { ValueType } from '../../../program/types.js';
import { elementCount } from '../../../program/types.js';
import type { KernelSpec } from '../family.js';
import type { Backend } from './backend.js';

export interface TfjsCall<N extends ComputeName> {
  readonly backend: Backend;
  readonly operands: readonly Tensor[];
  readonly types: readonly ValueType[];
  readonly resultTypes: readonly ValueType[];
  readonly attributes: Attributes[N];
  readonly coordinate: KernelSpec['coordinate'];
  /** A tensor that the kernel makes once and keeps, under a name that is unique to the op. */
  kept(name: string, make: () => Tensor): Tensor;
}

/** Gives the results, which may be operands; what else it makes is disposed for it. */
export type TfjsKernel<N extends ComputeName> = (call: TfjsCall<N>) => Tensor[];

/** tfjs wants arrays that it could change. */
export const shapeOf = ({ shape }: ValueType): number[] => [...shape];

export const lastOf = ({ shape }: { readonly shape: readonly number[] }): number => shape.at(-1)!;

/** [..., n] → [rows, n]. */
export const asMatrix = (x: Tensor): Tensor => tf.reshape(x, [elementCount(x.shape) / lastOf(x), lastOf(x)]);

/** [..., n] → [..., 1]. */
export const sumLast = (x: Tensor): Tensor => tf.sum(x, -1, true);

/** The matrix of ones [m,n]. */
export const ones = (m: number, n: number): Tensor => tf.fill([m, n], 1);

/**
 * [..., n] and a weight for each row [..., 1] → Σ over rows [n], as a product with a row, which reads the tensor once.
 * Without weights it is the plain sum.
 */
export function sumRows(x: Tensor, weights?: Tensor): Tensor {
  const matrix = asMatrix(x);
  const count = matrix.shape[0]!;
  const row = weights === undefined ? ones(1, count) : tf.reshape(weights, [1, count]);
  return tf.reshape(tf.matMul(row, matrix), [lastOf(x)]);
}
