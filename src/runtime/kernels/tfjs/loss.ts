import * as tf from '@tensorflow/tfjs-core';
import type { TfjsKernel } from './kernel.js';
import { sumLast } from './kernel.js';

/**
 * max(x, 0) − x·t + log(1 + exp(−|x|)), so that no exponential overflows, and with log1p so that a loss near 0 keeps its
 * digits.
 */
export const sigmoid_cross_entropy: TfjsKernel<'sigmoid_cross_entropy'> = ({
  operands: [x, targets],
  attributes,
  number,
}) => {
  const linear = tf.sub(tf.relu(x!), tf.mul(x!, targets!));
  const curved = tf.log1p(tf.exp(tf.neg(tf.abs(x!))));
  return [tf.mul(tf.sum(tf.add(linear, curved)), number(1 / attributes.divisor))];
};

export const sigmoid_cross_entropy_backward: TfjsKernel<'sigmoid_cross_entropy_backward'> = ({
  operands: [x, targets, cotangent],
  attributes,
  number,
}) => [tf.mul(tf.sub(tf.sigmoid(x!), targets!), tf.mul(cotangent!, number(1 / attributes.divisor)))];

/** Σ t · (log Σ exp x − x). */
export const softmax_cross_entropy: TfjsKernel<'softmax_cross_entropy'> = ({
  operands: [x, targets],
  attributes,
  number,
}) => {
  const shifted = tf.sub(x!, tf.max(x!, -1, true));
  const logarithms = tf.sub(tf.log(sumLast(tf.exp(shifted))), shifted);
  return [tf.mul(tf.sum(tf.mul(targets!, logarithms)), number(1 / attributes.divisor))];
};

export const softmax_cross_entropy_backward: TfjsKernel<'softmax_cross_entropy_backward'> = ({
  operands: [x, targets, cotangent],
  attributes,
  number,
}) => {
  const expected = tf.mul(tf.softmax(x!), sumLast(targets!));
  return [tf.mul(tf.sub(expected, targets!), tf.mul(cotangent!, number(1 / attributes.divisor)))];
};
