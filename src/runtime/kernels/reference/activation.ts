import { normalDensity, normalProbability } from './erf.js';
import type { ReferenceKernel } from './kernel.js';
import { map, rows } from './kernel.js';

export const softmax: ReferenceKernel<'softmax'> = ({ operands: [x], types: [type], attributes: { causal } }) => {
  const { count, width } = rows(type!);
  const result = new Float64Array(count * width);
  for (let row = 0; row < count; row++) {
    const start = row * width;
    const end = start + (causal === true ? (row % width) + 1 : width);
    let largest = -Infinity;
    for (let i = start; i < end; i++) largest = Math.max(largest, x![i]!);
    let total = 0;
    for (let i = start; i < end; i++) total += result[i] = Math.exp(x![i]! - largest);
    for (let i = start; i < end; i++) result[i]! /= total;
  }
  return [result];
};

/** (y, dy) → y · (dy − Σ y·dy). */
export const softmax_backward: ReferenceKernel<'softmax_backward'> = ({ operands: [y, dy], types: [type] }) => {
  const { count, width } = rows(type!);
  const result = new Float64Array(count * width);
  for (let row = 0; row < count; row++) {
    const start = row * width;
    let mean = 0;
    for (let i = start; i < start + width; i++) mean += y![i]! * dy![i]!;
    for (let i = start; i < start + width; i++) result[i] = y![i]! * (dy![i]! - mean);
  }
  return [result];
};

export const gelu: ReferenceKernel<'gelu'> = ({ operands: [x] }) => [
  map(x!, (value) => value * normalProbability(value)),
];

/** (x, dy) → dy · (Φ(x) + x·φ(x)). */
export const gelu_backward: ReferenceKernel<'gelu_backward'> = ({ operands: [x, dy] }) => [
  map(x!, (value, i) => dy![i]! * (normalProbability(value) + value * normalDensity(value))),
];

const sigmoid = (value: number): number => 1 / (1 + Math.exp(-value));

export const silu: ReferenceKernel<'silu'> = ({ operands: [x] }) => [map(x!, (value) => value * sigmoid(value))];

/** (x, dy) → dy · σ(x) · (1 + x · (1 − σ(x))). */
export const silu_backward: ReferenceKernel<'silu_backward'> = ({ operands: [x, dy] }) => [
  map(x!, (value, i) => dy![i]! * sigmoid(value) * (1 + value * sigmoid(-value))),
];
