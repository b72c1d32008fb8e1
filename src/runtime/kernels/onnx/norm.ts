/**
 * Moments and normalization. Sums over rows or columns that weigh each element are products with a vector, which read
 * the tensor once and write nothing of its size.
 */
import { elementCount } from '../../../program/types.js';
import type { Emitter, Name, OnnxKernel } from './emitter.js';

interface Normalization {
  readonly centered: boolean;
  readonly epsilon: number;
}

/** A row's mean (absent where not centered) and r = 1/√(variance + ε), both [..., 1]. */
function statistics(
  emitter: Emitter,
  moments: Name,
  { centered, epsilon }: Normalization,
): { mean?: Name; inverse: Name } {
  const inverse = (variance: Name): Name =>
    emitter.node('Reciprocal', [emitter.node('Sqrt', [emitter.node('Add', [variance, emitter.scalar(epsilon)])])]);
  if (!centered) return { inverse: inverse(moments) };
  const [mean, square] = emitter.all('Split', [moments, emitter.integers([1, 1])], 2, { axis: { int: -1 } }) as [
    Name,
    Name,
  ];
  const variance = emitter.node('Sub', [square, emitter.node('Mul', [mean, mean])]);
  // E[x²] − E[x]² is not negative but for rounding, which float32 has enough of.
  return { mean, inverse: inverse(emitter.node('Max', [variance, emitter.scalar(0)])) };
}

const join = (emitter: Emitter, parts: readonly Name[]): Name => emitter.node('Concat', parts, { axis: { int: -1 } });

/** Σ over the local width of x and x², over the whole width: [..., 1] or, centered, [..., 2]. */
export const moments: OnnxKernel<'moments'> = ({ emitter, operands: [x], attributes: { centered, width } }) => {
  const mean = (value: Name): Name => emitter.node('Mul', [emitter.sumLast(value), emitter.scalar(1 / width)]);
  const square = mean(emitter.node('Mul', [x!, x!]));
  return [centered ? join(emitter, [mean(x!), square]) : square];
};

/** (ofMean + 2x·ofSquare) / width. */
export const moments_backward: OnnxKernel<'moments_backward'> = ({ emitter, operands: [x, cotangent], attributes }) => {
  const { centered, width } = attributes;
  const slope = (ofSquare: Name): Name =>
    emitter.node('Mul', [x!, emitter.node('Mul', [ofSquare, emitter.scalar(2 / width)])]);
  if (!centered) return [slope(cotangent!)];
  const [ofMean, ofSquare] = emitter.all('Split', [cotangent!, emitter.integers([1, 1])], 2, { axis: { int: -1 } }) as [
    Name,
    Name,
  ];
  return [emitter.node('Add', [slope(ofSquare), emitter.node('Mul', [ofMean, emitter.scalar(1 / width)])])];
};

export const normalize: OnnxKernel<'normalize'> = ({ emitter, operands: [x, moments, gain, bias], attributes }) => {
  const { mean, inverse } = statistics(emitter, moments!, attributes);
  const centered = mean === undefined ? x! : emitter.node('Sub', [x!, mean]);
  const scaled = emitter.node('Mul', [emitter.node('Mul', [centered, inverse]), gain!]);
  return [bias === undefined ? scaled : emitter.node('Add', [scaled, bias])];
};

export const normalize_backward_input: OnnxKernel<'normalize_backward_input'> = ({
  emitter,
  operands: [dy, moments, gain],
  attributes,
}) => {
  const { inverse } = statistics(emitter, moments!, attributes);
  return [emitter.node('Mul', [emitter.node('Mul', [dy!, gain!]), inverse])];
};

/**
 * ofVariance = −½ r³ Σ dy·g·(x − μ) and, centered, ofMean = −r Σ dy·g − 2μ·ofVariance, with the first sum taken as
 * Σ dy·x·g − μ Σ dy·g: each is a product with the gain as a column.
 */
export const normalize_backward_moments: OnnxKernel<'normalize_backward_moments'> = ({
  emitter,
  operands: [dy, x, moments, gain],
  types,
  attributes,
}) => {
  const { mean, inverse } = statistics(emitter, moments!, attributes);
  const multiply = (a: Name, b: Name): Name => emitter.node('Mul', [a, b]);
  const column = emitter.reshape(gain!, [types[3]!.shape[0]!, 1]);
  const product = emitter.node('MatMul', [multiply(dy!, x!), column]);
  const slope = multiply(multiply(inverse, multiply(inverse, inverse)), emitter.scalar(-0.5));
  if (mean === undefined) return [multiply(slope, product)];
  const total = emitter.node('MatMul', [dy!, column]);
  const ofVariance = multiply(slope, emitter.node('Sub', [product, multiply(mean, total)]));
  const through = multiply(multiply(mean, ofVariance), emitter.scalar(-2));
  return [join(emitter, [emitter.node('Sub', [through, multiply(inverse, total)]), ofVariance])];
};

/** Σ over rows of dy·x·r and, centered, minus that of dy·μ·r: each is a product with a row of one number a row. */
export const normalize_backward_gain: OnnxKernel<'normalize_backward_gain'> = ({
  emitter,
  operands: [dy, x, moments],
  types,
  resultTypes,
  attributes,
}) => {
  const { shape } = types[0]!;
  const width = shape.at(-1)!;
  const count = elementCount(shape) / width;
  const { mean, inverse } = statistics(emitter, moments!, attributes);
  const weigh = (weights: Name, value: Name): Name =>
    emitter.node('MatMul', [emitter.reshape(weights, [1, count]), emitter.reshape(value, [count, width])]);
  const direct = weigh(inverse, emitter.node('Mul', [dy!, x!]));
  const total =
    mean === undefined ? direct : emitter.node('Sub', [direct, weigh(emitter.node('Mul', [mean, inverse]), dy!)]);
  return [emitter.reshape(total, resultTypes[0]!.shape)];
};
