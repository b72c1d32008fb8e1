import * as tf from '@tensorflow/tfjs-core';
import { asMatrix, shapeOf } from './kernel.js';
import type { TfjsKernel } from './kernel.js';

export const sum: TfjsKernel<'sum'> = ({ backend, operands: [x], types: [type], attributes: { dimensions } }) => {
  if (dimensions.length === 0) return [x!];
  const rank = type!.shape.length;
  const areLeading = dimensions.length === rank - 1 && !dimensions.includes(rank - 1);
  return [areLeading ? backend.sumRows(asMatrix(x!)) : tf.sum(x!, [...dimensions])];
};

/** An addition broadcasts; tfjs's `tile` and `broadcastTo` took 400 times as long on WASM. */
export const expand: TfjsKernel<'expand'> = ({ operands: [x], resultTypes: [result], attributes }) => {
  const shape = shapeOf(result!);
  const narrow = shape.map((size, dimension) => (attributes.dimensions.includes(dimension) ? 1 : size));
  return [tf.add(tf.fill(shape, -0), tf.reshape(x!, narrow))];
};

export const split: TfjsKernel<'split'> = ({ backend, operands: [x], resultTypes, attributes: { sizes } }) =>
  backend.split(asMatrix(x!), sizes).map((part, index) => tf.reshape(part, shapeOf(resultTypes[index]!)));

export const concat: TfjsKernel<'concat'> = ({ operands, resultTypes: [result] }) => [
  operands.length === 1 ? operands[0]! : tf.reshape(tf.concat(operands.map(asMatrix), 1), shapeOf(result!)),
];

/** [B,S,H·d] → [B,S,H,d] → [B,H,S,d]. */
export const split_heads: TfjsKernel<'split_heads'> = ({ operands: [x], resultTypes: [result] }) => {
  const [batch, heads, tokens, headWidth] = result!.shape as [number, number, number, number];
  return [tf.transpose(tf.reshape(x!, [batch, tokens, heads, headWidth]), [0, 2, 1, 3])];
};

/** [B,H,S,d] → [B,S,H,d] → [B,S,H·d]. */
export const merge_heads: TfjsKernel<'merge_heads'> = ({ operands: [x], resultTypes: [result] }) => [
  tf.reshape(tf.transpose(x!, [0, 2, 1, 3]), shapeOf(result!)),
];

/** [B,H,W,C] → [B·H/P, P, W/P, P·C] → [B·H/P, W/P, P, P·C] → [B,S,P·P·C]: whole rows of a patch move. */
export const extract_patches: TfjsKernel<'extract_patches'> = (call) => {
  const [batch, height, width, channels] = call.types[0]!.shape as [number, number, number, number];
  const { patch } = call.attributes;
  const cut = tf.reshape(call.operands[0]!, [(batch * height) / patch, patch, width / patch, patch * channels]);
  return [tf.reshape(tf.transpose(cut, [0, 2, 1, 3]), shapeOf(call.resultTypes[0]!))];
};

/** [B,S,P·P·C] → [B·H/P, W/P, P, P·C] → [B·H/P, P, W/P, P·C] → [B,H,W,C]. */
export const assemble_patches: TfjsKernel<'assemble_patches'> = (call) => {
  const [batch, height, width, channels] = call.resultTypes[0]!.shape as [number, number, number, number];
  const { patch } = call.attributes;
  const cut = tf.reshape(call.operands[0]!, [(batch * height) / patch, width / patch, patch, patch * channels]);
  return [tf.reshape(tf.transpose(cut, [0, 2, 1, 3]), shapeOf(call.resultTypes[0]!))];
};

/** Heads of a group lie next to each other, so that stacking them moves nothing. */
export const group_heads: TfjsKernel<'group_heads'> = ({ operands: [x], resultTypes: [result] }) => [
  tf.reshape(x!, shapeOf(result!)),
];

export const ungroup_heads: TfjsKernel<'ungroup_heads'> = ({ operands: [x], resultTypes: [result] }) => [
  tf.reshape(x!, shapeOf(result!)),
];
