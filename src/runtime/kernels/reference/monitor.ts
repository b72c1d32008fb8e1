import type { ReferenceKernel } from './kernel.js';

export const sum_squares: ReferenceKernel<'sum_squares'> = ({ operands: [x, before], attributes: { share } }) => {
  let total = 0;
  for (const value of x!) total += value * value;
  return [Float64Array.of(before![0]! + share * total)];
};

export const max_absolute: ReferenceKernel<'max_absolute'> = ({ operands: [x, before] }) => {
  let largest = before![0]!;
  for (const value of x!) largest = Math.max(largest, Math.abs(value));
  return [Float64Array.of(largest)];
};
