import * as tf from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import { elementCount } from '../../../program/types.js';
import { tokenPlaces } from '../family.js';
import { shapeOf, sumLast } from './kernel.js';
import type { AnyCall, TfjsKernel } from './kernel.js';

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
 * |x|, Φ(−|x|) = ½·erfc(|x|/√2) and e^(−x²/2). Abramowitz and Stegun 7.1.26, whose error of erf is at most 1.5e-7, about
 * that of a float32 next to 1: its passes took a third of the time of tfjs's `erf`, on WASM as on libtensorflow.
 */
function normalTail({ backend, number }: Pick<AnyCall, 'backend' | 'number'>, x: Tensor) {
  const size = tf.abs(x);
  const bell = backend.decay(tf.mul(tf.square(x), number(-0.5)));
  const t = tf.reciprocal(tf.add(tf.mul(size, number(0.3275911 * Math.SQRT1_2)), number(1)));
  const [last, ...coefficients] = [1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592].map((a) =>
    number(a / 2),
  );
  const sum = coefficients.reduce((total, a) => tf.mul(tf.add(total, a), t), tf.mul(t, last!));
  return { size, tail: tf.mul(sum, bell), bell };
}

/** x·Φ(x) = max(x, 0) − |x|·Φ(−|x|). */
export const gelu: TfjsKernel<'gelu'> = (call) => {
  const x = call.operands[0]!;
  const { size, tail } = normalTail(call, x);
  return [tf.sub(tf.relu(x), tf.mul(size, tail))];
};

/** Times it, a number of any size that matters is beyond 6, so that `relu6` tells its sign. */
const HUGE = 1e38;

/**
 * (x, dy) → dy · (Φ(x) + x·φ(x)), where Φ(x) is the tail below 0 and 1 − tail above it: with 6 for positive x and 0 for
 * others, tail + 6·(1 − 2·tail)/6. (tfjs's `step` and `sign` are many passes each.)
 */
export const gelu_backward: TfjsKernel<'gelu_backward'> = (call) => {
  const [x, dy] = call.operands as [Tensor, Tensor];
  const { number } = call;
  const { tail, bell } = normalTail(call, x);
  const isPositive = tf.relu6(tf.mul(x, number(HUGE)));
  const above = tf.mul(isPositive, tf.add(tf.mul(tail, number(-1 / 3)), number(1 / 6)));
  const moved = tf.mul(tf.mul(x, number(1 / Math.sqrt(2 * Math.PI))), bell);
  return [tf.mul(tf.add(tf.add(tail, above), moved), dy)];
};

export const silu: TfjsKernel<'silu'> = ({ operands: [x] }) => [tf.mul(x!, tf.sigmoid(x!))];

/** With σ = σ(x) and y = x·σ: dy · (σ + y − y·σ). */
export const silu_backward: TfjsKernel<'silu_backward'> = ({ operands: [x, dy] }) => {
  const probability = tf.sigmoid(x!);
  const y = tf.mul(x!, probability);
  return [tf.mul(tf.add(probability, tf.sub(y, tf.mul(y, probability))), dy!)];
};
