import * as tf from '@tensorflow/tfjs-core';
import { shapeOf } from './kernel.js';
import type { TfjsKernel } from './kernel.js';

export const sum_squares: TfjsKernel<'sum_squares'> = ({ operands: [x, before], attributes: { share }, number }) => {
  const sum = tf.mul(tf.sum(tf.square(tf.cast(x!, 'float32'))), number(share));
  return [tf.add(before!, sum)];
};

export const max_absolute: TfjsKernel<'max_absolute'> = ({ operands: [x, before], resultTypes: [result] }) => {
  const most = tf.reshape(tf.max(tf.abs(tf.cast(x!, 'float32'))), shapeOf(result!));
  return [tf.maximum(before!, most)];
};
