/**
 * Moments and normalization. Sums over rows or columns that weigh each element are products with a vector, which read
 * the tensor once and write nothing of its size.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import type { Backend } from './backend.js';
import { asMatrix, lastOf, shapeOf, sumLast, sumRows } from './kernel.js';
import type { TfjsKernel } from './kernel.js';

interface Normalization {
  readonly centered: boolean;
  readonly epsilon: number;
}

/** [..., 2] → its two columns [..., 1]. */
function columns(backend: Backend, x: Tensor): [Tensor, Tensor] {
  const shape = [...x.shape.slice(0, -1), 1];
  const [first, second] = backend.split(asMatrix(x), [1, 1]);
  return [tf.reshape(first!, shape), tf.reshape(second!, shape)];
}

/** [..., 1] twice → [..., 2]. */
const join = (first: Tensor, second: Tensor): Tensor =>
  tf.reshape(tf.concat([asMatrix(first), asMatrix(second)], 1), [...first.shape.slice(0, -1), 2]);

/** A row's mean (absent where not centered) and r = 1/√(variance + ε), both [..., 1]. */
function statistics(
  backend: Backend,
  moments: Tensor,
  { centered, epsilon }: Normalization,
): { mean?: Tensor; inverse: Tensor } {
  const inverse = (variance: Tensor): Tensor => tf.rsqrt(tf.add(variance, epsilon));
  if (!centered) return { inverse: inverse(moments) };
  const [mean, square] = columns(backend, moments);
  // E[x²] − E[x]² is not negative but for rounding, which float32 has enough of.
  return { mean, inverse: inverse(tf.relu(tf.sub(square, tf.square(mean)))) };
}

/** Σ over the local width of x and x², over the whole width: [..., 1] or, centered, [..., 2]. */
export const moments: TfjsKernel<'moments'> = ({ operands: [x], attributes: { centered, width } }) => {
  const mean = (value: Tensor): Tensor => tf.mul(sumLast(value), 1 / width);
  const square = mean(tf.square(x!));
  return [centered ? join(mean(x!), square) : square];
};

/** (ofMean + 2x·ofSquare) / width. */
export const moments_backward: TfjsKernel<'moments_backward'> = ({ backend, operands: [x, cotangent], attributes }) => {
  const { centered, width } = attributes;
  const slope = (ofSquare: Tensor): Tensor => tf.mul(x!, tf.mul(ofSquare, 2 / width));
  if (!centered) return [slope(cotangent!)];
  const [ofMean, ofSquare] = columns(backend, cotangent!);
  return [tf.add(slope(ofSquare), tf.mul(ofMean, 1 / width))];
};

export const normalize: TfjsKernel<'normalize'> = ({ backend, operands: [x, moments, gain, bias], attributes }) => {
  const { mean, inverse } = statistics(backend, moments!, attributes);
  const centered = mean === undefined ? x! : tf.sub(x!, mean);
  const scaled = tf.mul(tf.mul(centered, inverse), gain!);
  return [bias === undefined ? scaled : tf.add(scaled, bias)];
};

export const normalize_backward_input: TfjsKernel<'normalize_backward_input'> = ({
  backend,
  operands: [dy, moments, gain],
  attributes,
}) => {
  const { inverse } = statistics(backend, moments!, attributes);
  return [tf.mul(tf.mul(dy!, gain!), inverse)];
};

/**
 * ofVariance = −½ r³ Σ dy·g·(x − μ) and, centered, ofMean = −r Σ dy·g − 2μ·ofVariance, with the first sum taken as
 * Σ dy·x·g − μ Σ dy·g: each is a product with the gain as a column.
 */
export const normalize_backward_moments: TfjsKernel<'normalize_backward_moments'> = ({
  backend,
  operands: [dy, x, moments, gain],
  resultTypes: [result],
  attributes,
}) => {
  const { mean, inverse } = statistics(backend, moments!, attributes);
  const column = tf.reshape(gain!, [lastOf(gain!), 1]);
  const weighed = (value: Tensor): Tensor => tf.reshape(tf.matMul(asMatrix(value), column), inverse.shape);
  const product = weighed(tf.mul(dy!, x!));
  const slope = tf.mul(tf.mul(inverse, tf.square(inverse)), -0.5);
  if (mean === undefined) return [tf.mul(slope, product)];
  const total = weighed(dy!);
  const ofVariance = tf.mul(slope, tf.sub(product, tf.mul(mean, total)));
  const ofMean = tf.sub(tf.mul(tf.mul(mean, ofVariance), -2), tf.mul(inverse, total));
  return [tf.reshape(join(ofMean, ofVariance), shapeOf(result!))];
};

/** Σ over rows of dy·x·r and, centered, minus that of dy·μ·r. */
export const normalize_backward_gain: TfjsKernel<'normalize_backward_gain'> = ({
  backend,
  operands: [dy, x, moments],
  attributes,
}) => {
  const { mean, inverse } = statistics(backend, moments!, attributes);
  const direct = sumRows(tf.mul(dy!, x!), inverse);
  return [mean === undefined ? direct : tf.sub(direct, sumRows(dy!, tf.mul(mean, inverse)))];
};
