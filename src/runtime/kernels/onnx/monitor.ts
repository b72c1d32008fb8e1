import type { OnnxKernel } from './emitter.js';

export const sum_squares: OnnxKernel<'sum_squares'> = ({ emitter, operands: [x, before], attributes: { share } }) => {
  const squares = emitter.node('ReduceSumSquare', [x!], { keepdims: { int: 0 } });
  const own = share === 1 ? squares : emitter.node('Mul', [squares, emitter.scalar(share)]);
  return [emitter.node('Add', [before!, own])];
};

/** The larger of the maximum and minus the minimum: both only read the tensor, whose absolute values would be written. */
export const max_absolute: OnnxKernel<'max_absolute'> = ({ emitter, operands: [x, before], resultTypes }) => {
  const reduce = (opType: string) => emitter.node(opType, [x!], { keepdims: { int: 0 } });
  const largest = emitter.node('Max', [reduce('ReduceMax'), emitter.node('Neg', [reduce('ReduceMin')])]);
  return [emitter.node('Max', [before!, emitter.reshape(largest, resultTypes[0]!.shape)])];
};
