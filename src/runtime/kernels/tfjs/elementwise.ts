import * as tf from '@tensorflow/tfjs-core';
import { shapeOf } from './kernel.js';
import type { TfjsKernel } from './kernel.js';

export const constant: TfjsKernel<'constant'> = ({ attributes: { shape, value, dtype } }) => [
  tf.fill([...shape], value, dtype === 'i32' ? 'int32' : 'float32'),
];

/** tfjs counts who holds an array: another name for it is enough. */
export const copy_to_shards: TfjsKernel<'copy_to_shards'> = ({ operands: [x] }) => [x!];

export const cast: TfjsKernel<'cast'> = ({ operands: [x], types: [type], attributes: { dtype } }) => {
  if (type!.dtype === dtype) return [x!];
  return [tf.cast(x!, dtype === 'i32' ? 'int32' : 'float32')];
};

/** tfjs broadcasts as the op does: the shorter shape lies under the trailing dimensions. */
export const add: TfjsKernel<'add'> = ({ operands: [a, b] }) => [tf.add(a!, b!)];

export const multiply: TfjsKernel<'multiply'> = ({ operands: [a, b] }) => [tf.mul(a!, b!)];

export const scale: TfjsKernel<'scale'> = ({ operands: [x], attributes: { factor }, number }) => [
  tf.mul(x!, number(factor)),
];

export const reciprocal: TfjsKernel<'reciprocal'> = ({ operands: [x] }) => [tf.reciprocal(x!)];

export const select: TfjsKernel<'select'> = ({ operands: [condition, a, b], resultTypes: [result] }) => {
  const chosen = tf.fill(shapeOf(result!), 0);
  return [tf.where(tf.equal(tf.add(chosen, condition!), 0), a!, b!)];
};
