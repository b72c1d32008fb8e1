import type { OnnxKernel } from './emitter.js';

export const constant: OnnxKernel<'constant'> = ({ emitter, attributes: { shape, value, dtype } }) => [
  emitter.node('ConstantOfShape', [emitter.integers(shape)], {
    value: { tensor: { name: 'value', type: dtype === 'i32' ? 'int32' : 'float', dims: [1], values: [value] } },
  }),
];

/** All floats are float32 here; what is of a narrower type is rounded as every result is. */
export const copy_to_shards: OnnxKernel<'copy_to_shards'> = ({ emitter, operands: [x] }) => [
  emitter.node('Identity', [x!]),
];

export const cast: OnnxKernel<'cast'> = ({ emitter, operands: [x], types: [type], attributes: { dtype } }) => {
  if ((dtype === 'i32') === (type!.dtype === 'i32')) return [x!];
  return [emitter.convert(x!, dtype === 'i32' ? 'int32' : 'float')];
};

/** ONNX broadcasts as the op does: the shorter shape lies under the trailing dimensions. */
export const add: OnnxKernel<'add'> = ({ emitter, operands }) => [emitter.node('Add', operands)];

export const multiply: OnnxKernel<'multiply'> = ({ emitter, operands }) => [emitter.node('Mul', operands)];

export const scale: OnnxKernel<'scale'> = ({ emitter, operands: [x], attributes: { factor } }) => [
  emitter.node('Mul', [x!, emitter.scalar(factor)]),
];

export const reciprocal: OnnxKernel<'reciprocal'> = ({ emitter, operands }) => [emitter.node('Reciprocal', operands)];

export const select: OnnxKernel<'select'> = ({ emitter, operands: [condition, a, b] }) => [
  emitter.node('Where', [emitter.node('Equal', [condition!, emitter.scalar(0)]), a!, b!]),
];
