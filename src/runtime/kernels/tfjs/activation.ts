import * as tf from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import { elementCount } from '../../../program/types.js';
import { tokenPlaces } from '../family.js';
import type { Backend } from './backend.js';
import { shapeOf, sumLast } from './kernel.js';
import type { TfjsKernel } from './kernel.js';

/** [rows, columns]: 0 where a row's token is no earlier than a column's, −∞ elsewhere. */
function causalMask({ own, all }: ReturnType<typeof tokenPlaces>): Tensor {
  const mask = Float32Array.from({ length: own.length * all.length }, (_, index) =>
    own[Math.floor(index / all.length)]! < all[index % all.length]! ? -Infinity : 0,
  );
  return tf.tensor(mask, [own.length, all.length]);
}

export const softmax: TfjsKernel<'softmax'> = ({ operands: [x], types: [type], attributes, coordinate, kept }) => {
  const { causal, tokens } = attributes;
  if (causal !== true) return [tf.softmax(x!)];
  const n = type!.shape.at(-1)!;
  const rows = n / (tokens?.parts ?? 1);
  const mask = kept('mask', () => causalMask(tokenPlaces(rows, tokens, coordinate)));
  // Stacked rows start anew with each head.
  const heads = tf.reshape(x!, [elementCount(type!.shape) / (rows * n), rows, n]);
  return [tf.reshape(tf.softmax(tf.add(heads, mask)), shapeOf(type!))];
};

/** (y, dy) → y · (dy − Σ y·dy). */
export const softmax_backward: TfjsKernel<'softmax_backward'> = ({ operands: [y, dy] }) => [
  tf.mul(tf.sub(dy!, sumLast(tf.mul(y!, dy!))), y!),
];

/**
 * 2·Φ(−|x|) = erfc(|x|/√2) and e^(−x²/2). Abramowitz and Stegun 7.1.26, whose error is at most 1.5e-7, about that of a
 * float32 next to 1: its passes took a third of the time of tfjs's `erf`, on WASM as on libtensorflow.
 */
function normalTail(backend: Backend, x: Tensor): { tail: Tensor; bell: Tensor } {
  const bell = backend.decay(tf.mul(tf.square(x), -0.5));
  const t = tf.reciprocal(tf.add(tf.mul(tf.abs(x), 0.3275911 * Math.SQRT1_2), 1));
  const [last, ...coefficients] = [1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592];
  const sum = coefficients.reduce<Tensor>((total, a) => tf.mul(tf.add(total, a), t), tf.mul(t, last!));
  return { tail: tf.mul(sum, bell), bell };
}

/** x·Φ(x) = max(x, 0) − |x|·Φ(−|x|). */
export const gelu: TfjsKernel<'gelu'> = ({ backend, operands: [x] }) => [
  tf.sub(tf.relu(x!), tf.mul(tf.mul(tf.abs(x!), 0.5), normalTail(backend, x!).tail)),
];

/** (x, dy) → dy · (Φ(x) + x·φ(x)), where Φ(x) is half of the tail below 0 and 1 − half of it above. */
export const gelu_backward: TfjsKernel<'gelu_backward'> = ({ backend, operands: [x, dy] }) => {
  const { tail, bell } = normalTail(backend, x!);
  const probability = tf.add(tf.mul(tf.step(x!), tf.sub(1, tail)), tf.mul(tail, 0.5));
  const moved = tf.mul(tf.mul(x!, 1 / Math.sqrt(2 * Math.PI)), bell);
  return [tf.mul(tf.add(probability, moved), dy!)];
};

export const silu: TfjsKernel<'silu'> = ({ operands: [x] }) => [tf.mul(x!, tf.sigmoid(x!))];

/** With σ = σ(x) and y = x·σ: dy · (σ + y·(1 − σ)). */
export const silu_backward: TfjsKernel<'silu_backward'> = ({ operands: [x, dy] }) => {
  const probability = tf.sigmoid(x!);
  const y = tf.mul(x!, probability);
  return [tf.mul(tf.add(probability, tf.mul(y, tf.sub(1, probability))), dy!)];
};
