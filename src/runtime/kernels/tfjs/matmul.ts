import * as tf from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import { elementCount } from '../../../program/types.js';
import { asMatrix, shapeOf } from './kernel.js';
import type { TfjsKernel } from './kernel.js';

/** The factor, if there is one, goes where there are fewest elements: into `a`, `b` or the product of `count`. */
function scaled(
  product: (a: Tensor, b: Tensor) => Tensor,
  [a, b]: readonly [Tensor, Tensor],
  count: number,
  factor: Tensor | undefined,
): Tensor {
  if (factor === undefined) return product(a, b);
  const least = Math.min(a.size, b.size, count);
  if (count === least) return tf.mul(product(a, b), factor);
  return a.size === least ? product(tf.mul(a, factor), b) : product(a, tf.mul(b, factor));
}

export const matmul: TfjsKernel<'matmul'> = (call) => {
  const [a, b, addend] = call.operands as [Tensor, Tensor, Tensor | undefined];
  const { transposeA, transposeB, scale } = call.attributes;
  const shape = shapeOf(call.resultTypes[0]!);
  // Rows of all examples are multiplied at once by a weight that they share.
  const left = b.shape.length === 2 && !transposeA ? asMatrix(a) : a;
  const factor = scale === 1 ? undefined : call.number(scale);
  const product = scaled(
    (x, y) => call.backend.matmul(x, y, transposeA, transposeB),
    [left, b],
    elementCount(shape),
    factor,
  );
  const whole = tf.reshape(product, shape);
  return [addend === undefined ? whole : tf.add(whole, addend)];
};

/** x [..., k], dy [..., n], addend [k,n]? → xᵀ dy (+ addend) [k,n]. */
export const matmul_weight_gradient: TfjsKernel<'matmul_weight_gradient'> = ({ backend, operands }) => {
  const [x, dy, addend] = operands as [Tensor, Tensor, Tensor | undefined];
  const product = backend.matmul(asMatrix(x), asMatrix(dy), true, false);
  return [addend === undefined ? product : tf.add(product, addend)];
};
