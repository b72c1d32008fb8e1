import * as tf from '@tensorflow/tfjs-core';
import type { Tensor } from '@tensorflow/tfjs-core';
import { elementCount } from '../../../program/types.js';
import { tokenPlaces } from '../family.js';
import { chained, shapeOf, sumLast } from './kernel.js';
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
 * Φ(x) = σ(x·R(x²)) with the polynomial R, from its constant up, for which the greatest error of Φ is least: 2.9e-8, by
 * iterated weighted least squares; in float32 1.2e-7. Its passes, and the library's fast σ, take less than half the time
 * of tfjs's `erf`, on WASM as on libtensorflow.
 */
const LOGISTIC = [
  1.59576988, 0.0726661692, -6.5189958e-5, -0.000110612384, 7.92948815e-6, -2.64526618e-7, 3.51233961e-9,
] as const;

function normalProbability({ number }: Pick<AnyCall, 'number'>, x: Tensor, square: Tensor): Tensor {
  const [constant, ...rest] = LOGISTIC.map(number);
  const last = rest.pop()!;
  const sum = rest.reduceRight((total, a) => tf.mul(tf.add(total, a), square), tf.mul(square, last));
  return tf.sigmoid(tf.mul(tf.add(sum, constant!), x));
}

/** x·Φ(x). */
export const gelu: TfjsKernel<'gelu'> = chained((call) => {
  const x = call.operands[0]!;
  return [tf.mul(normalProbability(call, x, tf.square(x)), x)];
});

/** (x, dy) → dy · (Φ(x) + x·φ(x)), with φ(x) = e^(−x²/2 − ln √(2π)). */
export const gelu_backward: TfjsKernel<'gelu_backward'> = chained((call) => {
  const [x, dy] = call.operands as [Tensor, Tensor];
  const { backend, number } = call;
  const square = tf.square(x);
  const density = backend.decay(tf.sub(tf.mul(square, number(-0.5)), number(Math.log(2 * Math.PI) / 2)));
  return [tf.mul(tf.add(normalProbability(call, x, square), tf.mul(density, x)), dy)];
});

export const silu: TfjsKernel<'silu'> = ({ operands: [x] }) => [tf.mul(x!, tf.sigmoid(x!))];

/** With σ = σ(x) and y = x·σ: dy · (σ + y − y·σ). */
export const silu_backward: TfjsKernel<'silu_backward'> = ({ operands: [x, dy] }) => {
  const probability = tf.sigmoid(x!);
  const y = tf.mul(x!, probability);
  return [tf.mul(tf.add(probability, tf.sub(y, tf.mul(y, probability))), dy!)];
};
