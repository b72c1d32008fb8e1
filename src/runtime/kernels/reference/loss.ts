import type { Numbers } from '../tensors.js';
import type { ReferenceKernel } from './kernel.js';
import { map, rows } from './kernel.js';

const scalar = (value: number): Float64Array => Float64Array.of(value);

/** −t·log σ(x) − (1−t)·log(1−σ(x)), written so that no exponential overflows. */
export const sigmoid_cross_entropy: ReferenceKernel<'sigmoid_cross_entropy'> = ({
  operands: [logits, targets],
  attributes,
}) => {
  let total = 0;
  logits!.forEach((x, i) => (total += Math.max(x, 0) - x * targets![i]! + Math.log1p(Math.exp(-Math.abs(x)))));
  return [scalar(total / attributes.divisor)];
};

export const sigmoid_cross_entropy_backward: ReferenceKernel<'sigmoid_cross_entropy_backward'> = ({
  operands: [logits, targets, cotangent],
  attributes,
}) => {
  const factor = cotangent![0]! / attributes.divisor;
  return [map(logits!, (x, i) => (1 / (1 + Math.exp(-x)) - targets![i]!) * factor)];
};

/** max x and Σ exp(x − max x) of one row. */
function exponentials(logits: Numbers, start: number, width: number): { largest: number; total: number } {
  let largest = -Infinity;
  for (let i = start; i < start + width; i++) largest = Math.max(largest, logits[i]!);
  let total = 0;
  for (let i = start; i < start + width; i++) total += Math.exp(logits[i]! - largest);
  return { largest, total };
}

/** Σ t · (log Σ exp x − x). */
export const softmax_cross_entropy: ReferenceKernel<'softmax_cross_entropy'> = ({
  operands: [logits, targets],
  types: [type],
  attributes,
}) => {
  const { count, width } = rows(type!);
  let loss = 0;
  for (let row = 0; row < count; row++) {
    const start = row * width;
    const { largest, total } = exponentials(logits!, start, width);
    for (let i = start; i < start + width; i++) loss += targets![i]! * (largest + Math.log(total) - logits![i]!);
  }
  return [scalar(loss / attributes.divisor)];
};

export const softmax_cross_entropy_backward: ReferenceKernel<'softmax_cross_entropy_backward'> = ({
  operands: [logits, targets, cotangent],
  types: [type],
  attributes,
}) => {
  const { count, width } = rows(type!);
  const factor = cotangent![0]! / attributes.divisor;
  const result = new Float64Array(count * width);
  for (let row = 0; row < count; row++) {
    const start = row * width;
    const { largest, total } = exponentials(logits!, start, width);
    let mass = 0;
    for (let i = start; i < start + width; i++) mass += targets![i]!;
    for (let i = start; i < start + width; i++) {
      result[i] = ((Math.exp(logits![i]! - largest) / total) * mass - targets![i]!) * factor;
    }
  }
  return [result];
};
