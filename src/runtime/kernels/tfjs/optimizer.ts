import * as tf from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import type { TfjsKernel } from './kernel.js';

/** 1 − βᵗ = −(e^(t·ln β) − 1): in float32 the subtraction would leave 4 digits of 1 − 0.999. */
const biasCorrection = (beta: number, step: Tensor): Tensor => tf.neg(tf.expm1(tf.mul(step, Math.log(beta))));

/**
 * Scalars are gathered first, so that the tensors are passed over as little as possible, with c₁ = 1 − β₁ᵗ and
 * c₂ = 1 − β₂ᵗ: η·(m/c₁)/(√(v/c₂) + ε) = m · (η·√c₂/c₁) / (√v + ε·√c₂).
 */
export const adamw: TfjsKernel<'adamw'> = ({ operands, attributes: { beta1, beta2, epsilon, weightDecay } }) => {
  const [parameter, gradient, first, second, learningRate, step] = operands as [
    Tensor,
    Tensor,
    Tensor,
    Tensor,
    Tensor,
    Tensor,
  ];
  const average = (old: Tensor, value: Tensor, beta: number): Tensor =>
    tf.add(tf.mul(old, beta), tf.mul(value, 1 - beta));
  const root = tf.sqrt(biasCorrection(beta2, step));
  const rate = tf.mul(learningRate, tf.div(root, biasCorrection(beta1, step)));

  const newFirst = average(first, gradient, beta1);
  const newSecond = average(second, tf.square(gradient), beta2);
  const denominator = tf.add(tf.sqrt(newSecond), tf.mul(root, epsilon));
  const moved = tf.mul(tf.div(newFirst, denominator), rate);
  // Added to the update rather than taken as a factor 1 − η·λ of the parameter, which float32 rounds to few digits.
  const change = weightDecay === 0 ? moved : tf.add(moved, tf.mul(parameter, tf.mul(learningRate, weightDecay)));
  return [tf.sub(parameter, change), newFirst, newSecond];
};

export const sgd: TfjsKernel<'sgd'> = ({ operands, attributes: { momentum, weightDecay } }) => {
  const [parameter, gradient, velocity, learningRate] = operands as [Tensor, Tensor, Tensor, Tensor];
  const pushed = tf.add(tf.mul(velocity, momentum), gradient);
  const next = weightDecay === 0 ? pushed : tf.add(pushed, tf.mul(parameter, weightDecay));
  return [tf.sub(parameter, tf.mul(next, learningRate)), next];
};

/** A number minus itself is a number only where it is finite. */
export const count_nonfinite: TfjsKernel<'count_nonfinite'> = ({ operands }) => [
  operands
    .map((x) => tf.sum(tf.cast(tf.isNaN(tf.sub(x, x)), 'float32')))
    .reduce((total, count) => tf.add(total, count)),
];

export const update_loss_scale: TfjsKernel<'update_loss_scale'> = ({ operands, attributes }) => {
  const [scale, steps, nonfinite] = operands as [Tensor, Tensor, Tensor];
  const overflown = tf.greater(nonfinite, 0);
  const counted = tf.add(steps, 1);
  const full = tf.greaterEqual(counted, attributes.interval);
  const halved = tf.maximum(tf.mul(scale, 0.5), 1);
  const doubled = tf.minimum(tf.mul(scale, 2), attributes.largest);
  return [
    tf.where(overflown, halved, tf.where(full, doubled, scale)),
    tf.where(tf.logicalOr(overflown, full), tf.scalar(0), counted),
  ];
};
