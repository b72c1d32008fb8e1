import { tokenPlaces } from '../family.js';
import { normalDensity, normalProbability } from './erf.js';
import type { ReferenceKernel } from './kernel.js';
import { map, rows } from './kernel.js';

export const softmax: ReferenceKernel<'softmax'> = (call) => {
  const { operands, types, attributes, coordinate } = call;
  const [x] = operands;
  const { causal, tokens } = attributes;
  const { count, width } = rows(types[0]!);
  const { own, all } = tokenPlaces(width / (tokens?.parts ?? 1), tokens, coordinate);
  const result = new Float64Array(count * width);
  for (let row = 0; row < count; row++) {
    const start = row * width;
    const last = causal === true ? own[row % own.length]! : Infinity;
    let largest = -Infinity;
    for (let i = 0; i < width; i++) if (all[i]! <= last) largest = Math.max(largest, x![start + i]!);
    let total = 0;
    for (let i = 0; i < width; i++)
      if (all[i]! <= last) total += result[start + i] = Math.exp(x![start + i]! - largest);
    for (let i = start; i < start + width; i++) result[i]! /= total;
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
