import * as tf from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import { elementCount } from '../../../program/types.js';
import { asMatrix, shapeOf } from './kernel.js';
import type { TfjsKernel } from './kernel.js';

/** The factor goes where there are fewest elements. */
function scaled(
  product: (a: Tensor, b: Tensor) => Tensor,
  a: Tensor,
  b: Tensor,
  count: number,
  factor: number,
): Tensor {
  if (factor === 1) return product(a, b);
  const least = Math.min(a.size, b.size, count);
  if (count === least) return tf.mul(product(a, b), factor);
  return a.size === least ? product(tf.mul(a, factor), b) : product(a, tf.mul(b, factor));
}

export const matmul: TfjsKernel<'matmul'> = ({ backend, operands, types, resultTypes: [result], attributes }) => {
  const [a, b, addend] = operands as [Tensor, Tensor, Tensor | undefined];
  const { transposeA, transposeB, scale } = attributes;
  const shape = shapeOf(result!);
  // Rows of all examples are multiplied at once by a weight that they share.
  const isWeight = types[1]!.shape.length === 2;
  const left = isWeight && !transposeA ? asMatrix(a) : a;
  const product = scaled((x, y) => backend.matmul(x, y, transposeA, transposeB), left, b, elementCount(shape), scale);
  const whole = tf.reshape(product, shape);
  return [addend === undefined ? whole : tf.add(whole, addend)];
};

/** x [..., k], dy [..., n], addend [k,n]? → xᵀ dy (+ addend) [k,n]. */
export const matmul_weight_gradient: TfjsKernel<'matmul_weight_gradient'> = ({ backend, operands }) => {
  const [x, dy, addend] = operands as [Tensor, Tensor, Tensor | undefined];
  const product = backend.matmul(asMatrix(x), asMatrix(dy), true, false);
  return [addend === undefined ? product : tf.add(product, addend)];
};
