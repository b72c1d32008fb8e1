import type { ReferenceKernel } from './kernel.js';
import { map } from './kernel.js';
import { elementCount } from '../../../program/types.js';

export const constant: ReferenceKernel<'constant'> = ({ attributes }) => [
  new Float64Array(elementCount(attributes.shape)).fill(attributes.value),
];

/** Rounding to the result's type happens where every result is stored. */
export const copy_to_shards: ReferenceKernel<'copy_to_shards'> = ({ operands: [x] }) => [Float64Array.from(x!)];

export const cast: ReferenceKernel<'cast'> = ({ operands: [x] }) => [Float64Array.from(x!)];

/** a [..., n...] + b [n...]: b lies under the trailing dimensions, so it repeats with its own length. */
export const add: ReferenceKernel<'add'> = ({ operands: [a, b] }) => [
  map(a!, (value, i) => value + b![i % b!.length]!),
];

/** a [..., n...] · b [n...]. */
export const multiply: ReferenceKernel<'multiply'> = ({ operands: [a, b] }) => [
  map(a!, (value, i) => value * b![i % b!.length]!),
];

export const scale: ReferenceKernel<'scale'> = ({ operands: [x], attributes: { factor } }) => [
  map(x!, (value) => value * factor),
];

export const reciprocal: ReferenceKernel<'reciprocal'> = ({ operands: [x] }) => [map(x!, (value) => 1 / value)];

export const select: ReferenceKernel<'select'> = ({ operands: [condition, a, b] }) => [
  Float64Array.from(condition![0] === 0 ? a! : b!),
];
