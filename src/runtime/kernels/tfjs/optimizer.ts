import * as tf from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import type { TfjsCall, TfjsKernel } from './kernel.js';
import { chained } from './kernel.js';

/**
 * What AdamW multiplies with, the same for all parameters: η·√c₂/c₁ and ε·√c₂ with c = 1 − βᵗ = −(e^(t·ln β) − 1), since
 * in float32 the subtraction would leave 4 digits of 1 − 0.999.
 */
function adamFactors({ operands, attributes, number, shared }: TfjsCall<'adamw'>): { rate: Tensor; floor: Tensor } {
  const [learningRate, step] = [operands[4]!, operands[5]!];
  const { beta1, beta2, epsilon } = attributes;
  const from = `${learningRate.id} ${step.id} ${beta1} ${beta2} ${epsilon}`;
  const correction = (beta: number): Tensor => tf.neg(tf.expm1(tf.mul(step, number(Math.log(beta)))));
  const root = shared(`root ${from}`, () => tf.sqrt(correction(beta2)));
  return {
    rate: shared(`rate ${from}`, () => tf.mul(learningRate, tf.div(root, correction(beta1)))),
    floor: shared(`floor ${from}`, () => tf.mul(root, number(epsilon))),
  };
}

/** η·(m/c₁)/(√(v/c₂) + ε) = m · (η·√c₂/c₁) / (√v + ε·√c₂): the tensors are passed over as little as possible. */
export const adamw: TfjsKernel<'adamw'> = chained((call) => {
  const { operands, attributes, number, shared } = call;
  const [parameter, gradient, first, second, learningRate] = operands as [Tensor, Tensor, Tensor, Tensor, Tensor];
  const { beta1, beta2, weightDecay } = attributes;
  const average = (old: Tensor, value: Tensor, beta: number): Tensor =>
    tf.add(tf.mul(old, number(beta)), tf.mul(value, number(1 - beta)));
  const { rate, floor } = adamFactors(call);
  const newFirst = average(first, gradient, beta1);
  const newSecond = average(second, tf.square(gradient), beta2);
  const moved = tf.mul(tf.div(newFirst, tf.add(tf.sqrt(newSecond), floor)), rate);
  if (weightDecay === 0) return [tf.sub(parameter, moved), newFirst, newSecond];
  // Added to the update rather than taken as a factor 1 − η·λ of the parameter, which float32 rounds to few digits.
  const decay = shared(`decay ${learningRate.id} ${weightDecay}`, () => tf.mul(learningRate, number(weightDecay)));
  return [tf.sub(parameter, tf.add(moved, tf.mul(parameter, decay))), newFirst, newSecond];
});

export const sgd: TfjsKernel<'sgd'> = ({ operands, attributes: { momentum, weightDecay }, number }) => {
  const [parameter, gradient, velocity, learningRate] = operands as [Tensor, Tensor, Tensor, Tensor];
  const pushed = tf.add(tf.mul(velocity, number(momentum)), gradient);
  const next = weightDecay === 0 ? pushed : tf.add(pushed, tf.mul(parameter, number(weightDecay)));
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
