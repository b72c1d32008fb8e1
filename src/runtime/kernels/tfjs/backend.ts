/** What a backend of tfjs does in its own way. Everything else is the same calls of tfjs-core on each of them. */
import type { DataType, Tensor } from '@tensorflow/tfjs-core';
import type { Numbers } from '../tensors.js';

export interface TensorType {
  readonly shape: readonly number[];
  readonly dtype: DataType;
}

/** Ops that were called once, to be run again as often as wanted. */
export interface Recording {
  /** @returns new tensors, in the order of the results that were recorded */
  run(operands: readonly Tensor[]): Tensor[];
  dispose(): void;
}

export interface Backend {
  /** What tfjs calls it. */
  readonly name: string;
  /** Where it computes, for messages. */
  readonly device: string;
  /** op(A) op(B) of matrices, or of tensors of the same leading dimensions. */
  matmul(a: Tensor, b: Tensor, transposeA: boolean, transposeB: boolean): Tensor;
  /** A matrix's columns, dealt out to matrices of `sizes` columns. */
  split(x: Tensor, sizes: readonly number[]): Tensor[];
  /** The sum of a matrix's rows, each times its weight of [rows, 1] or any shape of as many: [columns]. */
  sumRows(x: Tensor, weights?: Tensor): Tensor;
  /** e^x of numbers up to 0, to what float32 has next to 1. */
  decay(x: Tensor): Tensor;
  /** Whether results stay in it between kernels. */
  readonly keeps: boolean;
  /**
   * Makes one thing to run of all ops that `compute` calls, where that is faster.
   *
   * @param types of the operands
   * @returns nothing where what is to be called depends on values
   */
  record?(
    types: readonly TensorType[],
    compute: (operands: readonly Tensor[]) => readonly Tensor[],
  ): Recording | undefined;
  /** What `work` gives, which is a long chain of elementwise ops: a recording may make one loop of it. */
  chain?<T>(work: () => T): T;
  /** Waits until what was asked for is computed, where asking does not wait. */
  settle?(): Promise<void>;
  /** Writes the elements of a tensor to an array of their kind. */
  read(x: Tensor, target: Numbers): Promise<void> | void;
}
