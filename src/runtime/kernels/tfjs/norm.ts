/**
 * Moments and normalization. Sums over rows or columns that weigh each element are products with a vector, which read
 * the tensor once and write nothing of its size.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import type { Backend } from './backend.js';
import { asMatrix, lastOf, sumLast } from './kernel.js';
import type { AnyCall, TfjsKernel } from './kernel.js';

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

type NormCall = Pick<AnyCall, 'backend' | 'number' | 'shared'> & { readonly attributes: Normalization };

/**
 * A row's mean (absent where not centered) and r = 1/√(variance + ε), both [..., 1]: the same for all ops that normalize
 * by these moments, there and back.
 */
function statistics(call: NormCall, moments: Tensor): { mean?: Tensor; inverse: Tensor } {
  const { backend, number, shared, attributes } = call;
  const { centered, epsilon } = attributes;
  const inverseOf = (variance: () => Tensor): Tensor =>
    shared(`inverse ${moments.id} ${epsilon}`, () => tf.rsqrt(tf.add(variance(), number(epsilon))));
  if (!centered) return { inverse: inverseOf(() => moments) };
  const mean = shared(`mean ${moments.id}`, () => columns(backend, moments)[0]);
  // E[x²] − E[x]² is not negative but for rounding, which float32 has enough of.
  const inverse = inverseOf(() => tf.relu(tf.sub(columns(backend, moments)[1], tf.square(mean))));
  return { mean, inverse };
}

/** Σ over the local width of x and x², over the whole width: [..., 1] or, centered, [..., 2]. */
export const moments: TfjsKernel<'moments'> = ({ operands: [x], attributes: { centered, width }, number }) => {
  const mean = (value: Tensor): Tensor => tf.mul(sumLast(value), number(1 / width));
  const square = mean(tf.square(x!));
  return [centered ? join(mean(x!), square) : square];
};

/** (ofMean + 2x·ofSquare) / width. */
export const moments_backward: TfjsKernel<'moments_backward'> = (call) => {
  const [x, cotangent] = call.operands as [Tensor, Tensor];
  const { backend, number } = call;
  const { centered, width } = call.attributes;
  const slope = (ofSquare: Tensor): Tensor => tf.mul(x, tf.mul(ofSquare, number(2 / width)));
  if (!centered) return [slope(cotangent)];
  const [ofMean, ofSquare] = columns(backend, cotangent);
  return [tf.add(slope(ofSquare), tf.mul(ofMean, number(1 / width)))];
};

export const normalize: TfjsKernel<'normalize'> = (call) => {
  const [x, moments, gain, bias] = call.operands as [Tensor, Tensor, Tensor, Tensor | undefined];
  const { mean, inverse } = statistics(call, moments);
  const centered = mean === undefined ? x : tf.sub(x, mean);
  const scaled = tf.mul(tf.mul(centered, inverse), gain);
  return [bias === undefined ? scaled : tf.add(scaled, bias)];
};

export const normalize_backward_input: TfjsKernel<'normalize_backward_input'> = (call) => {
  const [dy, moments, gain] = call.operands as [Tensor, Tensor, Tensor];
  return [tf.mul(tf.mul(dy, gain), statistics(call, moments).inverse)];
};

/**
 * ofVariance = −½ r³ Σ dy·g·(x − μ) and, centered, ofMean = −r Σ dy·g − 2μ·ofVariance, with the first sum taken as
 * Σ dy·x·g − μ Σ dy·g: each is a product with the gain as a column.
 */
export const normalize_backward_moments: TfjsKernel<'normalize_backward_moments'> = (call) => {
  const [dy, x, moments, gain] = call.operands as [Tensor, Tensor, Tensor, Tensor];
  const { backend, number } = call;
  const { mean, inverse } = statistics(call, moments);
  const column = tf.reshape(gain, [lastOf(gain), 1]);
  const weighed = (value: Tensor): Tensor =>
    tf.reshape(backend.matmul(asMatrix(value), column, false, false), inverse.shape);
  const product = weighed(tf.mul(dy, x));
  const slope = tf.mul(tf.mul(inverse, tf.square(inverse)), number(-0.5));
  if (mean === undefined) return [tf.mul(slope, product)];
  const total = weighed(dy);
  const ofVariance = tf.mul(slope, tf.sub(product, tf.mul(mean, total)));
  const ofMean = tf.sub(tf.mul(tf.mul(mean, ofVariance), number(-2)), tf.mul(inverse, total));
  return [join(ofMean, ofVariance)];
};

/** Σ over rows of dy·x·r and, centered, minus that of dy·μ·r. */
export const normalize_backward_gain: TfjsKernel<'normalize_backward_gain'> = (call) => {
  const [dy, x, moments] = call.operands as [Tensor, Tensor, Tensor];
  const { backend } = call;
  const { mean, inverse } = statistics(call, moments);
  const direct = backend.sumRows(asMatrix(tf.mul(dy, x)), inverse);
  return [mean === undefined ? direct : tf.sub(direct, backend.sumRows(asMatrix(dy), tf.mul(mean, inverse)))];
};
