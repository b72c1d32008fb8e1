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
  /** A float32 []. Given as a number to an op it would be made anew each time, which takes longer than a small op. */
  number(value: number): Tensor;
  /** A tensor that the kernel makes once and keeps, under a name that is unique to the op. */
  kept(name: string, make: () => Tensor): Tensor;
  /** A tensor that the ops of one run of the kernel share, under a name that says all of what it is made from. */
  shared(name: string, make: () => Tensor): Tensor;
}

export type AnyCall = TfjsCall<ComputeName>;

/** Gives the results, which may be operands; what else it makes is disposed for it. */
export type TfjsKernel<N extends ComputeName> = (call: TfjsCall<N>) => Tensor[];

/** tfjs wants arrays that it could change. */
export const shapeOf = ({ shape }: ValueType): number[] => [...shape];

export const lastOf = ({ shape }: { readonly shape: readonly number[] }): number => shape.at(-1)!;

/** What tfjs calls it. */
export const typeOf = (type: ValueType): { shape: number[]; dtype: 'int32' | 'float32' } => ({
  shape: shapeOf(type),
  dtype: type.dtype === 'i32' ? 'int32' : 'float32',
});

/** [..., n] → [rows, n]. */
export const asMatrix = (x: Tensor): Tensor => tf.reshape(x, [elementCount(x.shape) / lastOf(x), lastOf(x)]);

/** [..., n] → [..., 1]. */
export const sumLast = (x: Tensor): Tensor => tf.sum(x, -1, true);

/** A kernel that is a long chain of elementwise ops. */
export const chained =
  <N extends ComputeName>(kernel: TfjsKernel<N>): TfjsKernel<N> =>
  (call) =>
    (call.backend.chain ?? run)(() => kernel(call));

const run = <T>(work: () => T): T => work();
