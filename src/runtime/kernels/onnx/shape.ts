import type { ValueType } from '../../../program/types.js';
import { elementCount } from '../../../program/types.js';
import type { OnnxKernel } from './emitter.js';

export const sum: OnnxKernel<'sum'> = ({ emitter, operands: [x], attributes: { dimensions } }) => [
  // No axes would mean all of them.
  dimensions.length === 0
    ? x!
    : emitter.node('ReduceSum', [x!, emitter.integers(dimensions)], { keepdims: { int: 0 } }),
];

export const expand: OnnxKernel<'expand'> = ({ emitter, operands: [x], resultTypes: [result], attributes }) => {
  const { shape } = result!;
  const narrow = emitter.reshape(
    x!,
    shape.map((size, dimension) => (attributes.dimensions.includes(dimension) ? 1 : size)),
  );
  return [emitter.node('Expand', [narrow, emitter.integers(shape)])];
};

export const split: OnnxKernel<'split'> = ({ emitter, operands: [x], attributes: { sizes } }) =>
  emitter.all('Split', [x!, emitter.integers(sizes)], sizes.length, { axis: { int: -1 } });

/**
 * Joined as tables of rows. onnxruntime lends a dead buffer to the next tensor of the very same shape, however late it
 * comes, and keeps the buffer until then. What is joined was mostly split from a tensor of that shape long before: the
 * buffer of one of a layer's largest tensors would be held from `split` until its gradient is put together.
 */
export const concat: OnnxKernel<'concat'> = ({ emitter, operands, types, resultTypes: [result] }) => {
  const widthOf = ({ shape }: ValueType): number => shape.at(-1)!;
  const rows = elementCount(result!.shape) / widthOf(result!);
  const tables = operands.map((x, index) => emitter.reshape(x, [rows, widthOf(types[index]!)]));
  return [emitter.reshape(emitter.node('Concat', tables, { axis: { int: -1 } }), result!.shape)];
};

/** [B,S,H·d] → [B,S,H,d] → [B,H,S,d]. */
export const split_heads: OnnxKernel<'split_heads'> = ({ emitter, operands: [x], resultTypes: [result] }) => {
  const [batch, heads, tokens, headWidth] = result!.shape as [number, number, number, number];
  return [emitter.transpose(emitter.reshape(x!, [batch, tokens, heads, headWidth]), [0, 2, 1, 3])];
};

/** [B,H,S,d] → [B,S,H,d] → [B,S,H·d]. */
export const merge_heads: OnnxKernel<'merge_heads'> = ({ emitter, operands: [x], resultTypes: [result] }) => [
  emitter.reshape(emitter.transpose(x!, [0, 2, 1, 3]), result!.shape),
];

/** [B,H,W,C] → [B,H/P,P,W/P,P,C] → [B,H/P,W/P,P,P,C] → [B,S,P·P·C]. */
export const extract_patches: OnnxKernel<'extract_patches'> = (call) => {
  const { emitter, operands, types, resultTypes, attributes } = call;
  const [batch, height, width, channels] = types[0]!.shape as [number, number, number, number];
  const { patch } = attributes;
  const cut = emitter.reshape(operands[0]!, [batch, height / patch, patch, width / patch, patch, channels]);
  return [emitter.reshape(emitter.transpose(cut, [0, 1, 3, 2, 4, 5]), resultTypes[0]!.shape)];
};

/** [B,S,P·P·C] → [B,H/P,W/P,P,P,C] → [B,H/P,P,W/P,P,C] → [B,H,W,C]. */
export const assemble_patches: OnnxKernel<'assemble_patches'> = (call) => {
  const { emitter, operands, resultTypes, attributes } = call;
  const [batch, height, width, channels] = resultTypes[0]!.shape as [number, number, number, number];
  const { patch } = attributes;
  const cut = emitter.reshape(operands[0]!, [batch, height / patch, width / patch, patch, patch, channels]);
  return [emitter.reshape(emitter.transpose(cut, [0, 1, 3, 2, 4, 5]), resultTypes[0]!.shape)];
};
