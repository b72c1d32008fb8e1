import type { OnnxKernel } from './emitter.js';

export const constant: OnnxKernel<'constant'> = ({ emitter, attributes: { shape, value } }) => [
  emitter.node('ConstantOfShape', [emitter.integers(shape)], {
    value: { tensor: { name: 'value', type: 'float', dims: [1], values: [value] } },
  }),
];

/** The family has one type, so there is nothing to convert. */
export const cast: OnnxKernel<'cast'> = ({ operands }) => [...operands];

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
