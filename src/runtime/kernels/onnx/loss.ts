import type { Emitter, Name, OnnxKernel } from './emitter.js';

const over = (emitter: Emitter, value: Name, divisor: number): Name =>
  emitter.node('Mul', [value, emitter.scalar(1 / divisor)]);

/** max(x, 0) − x·t + log1p(exp(−|x|)): no exponential overflows, and a loss near 0 keeps its digits. */
export const sigmoid_cross_entropy: OnnxKernel<'sigmoid_cross_entropy'> = ({
  emitter,
  operands: [x, targets],
  attributes,
}) => {
  const linear = emitter.node('Sub', [emitter.node('Relu', [x!]), emitter.node('Mul', [x!, targets!])]);
  const curved = emitter.node('Softplus', [emitter.node('Neg', [emitter.node('Abs', [x!])])]);
  return [over(emitter, emitter.sumAll(emitter.node('Add', [linear, curved])), attributes.divisor)];
};

export const sigmoid_cross_entropy_backward: OnnxKernel<'sigmoid_cross_entropy_backward'> = ({
  emitter,
  operands: [x, targets, cotangent],
  attributes,
}) => {
  const difference = emitter.node('Sub', [emitter.node('Sigmoid', [x!]), targets!]);
  return [emitter.node('Mul', [difference, over(emitter, cotangent!, attributes.divisor)])];
};

/** −Σ t · log softmax(x). */
export const softmax_cross_entropy: OnnxKernel<'softmax_cross_entropy'> = ({
  emitter,
  operands: [x, targets],
  attributes,
}) => {
  const logarithms = emitter.logSoftmax(x!);
  return [over(emitter, emitter.sumAll(emitter.node('Mul', [targets!, logarithms])), -attributes.divisor)];
};

export const softmax_cross_entropy_backward: OnnxKernel<'softmax_cross_entropy_backward'> = ({
  emitter,
  operands: [x, targets, cotangent],
  attributes,
}) => {
  const expected = emitter.node('Mul', [
    emitter.node('Softmax', [x!], { axis: { int: -1 } }),
    emitter.sumLast(targets!),
  ]);
  const difference = emitter.node('Sub', [expected, targets!]);
  return [emitter.node('Mul', [difference, over(emitter, cotangent!, attributes.divisor)])];
};
