import { coordinateOf, tokenPlaces } from '../family.js';
import type { TableOp } from '../family.js';
import type { ReferenceCall, ReferenceKernel } from './kernel.js';
import { rows } from './kernel.js';

/** A rank's part of rows (or classes) that are dealt over an axis. */
interface Part {
  /** Whether ids of other ranks are to be expected. */
  readonly sharded: boolean;
  readonly first: number;
  readonly size: number;
}

function partOf({ attributes, coordinate }: ReferenceCall<TableOp>, size: number): Part {
  return { sharded: attributes.axis !== undefined, first: coordinateOf(attributes, coordinate) * size, size };
}

/**
 * Where an id lies in the part; nothing where another rank has it.
 *
 * @throws RangeError on an id that a whole table does not have
 */
function localIndex({ sharded, first, size }: Part, id: number): number | undefined {
  const index = id - first;
  if (index >= 0 && index < size) return index;
  if (sharded) return undefined;
  throw new RangeError(`id ${id} of a table of ${size}`);
}

export const embedding: ReferenceKernel<'embedding'> = (call) => {
  const [table, ids] = call.operands;
  const [size, width] = call.types[0]!.shape as [number, number];
  const part = partOf(call, size);
  const result = new Float64Array(ids!.length * width);
  for (let token = 0; token < ids!.length; token++) {
    const row = localIndex(part, ids![token]!);
    if (row === undefined) continue;
    for (let d = 0; d < width; d++) result[token * width + d] = table![row * width + d]!;
  }
  return [result];
};

export const embedding_backward: ReferenceKernel<'embedding_backward'> = (call) => {
  const [ids, dy] = call.operands;
  const size = call.attributes.rows;
  const width = call.types[1]!.shape.at(-1)!;
  const part = partOf(call, size);
  const result = new Float64Array(size * width);
  for (let token = 0; token < ids!.length; token++) {
    const row = localIndex(part, ids![token]!);
    if (row === undefined) continue;
    for (let d = 0; d < width; d++) result[row * width + d]! += dy![token * width + d]!;
  }
  return [result];
};

/** Pair i of position p turns by p · base^(−2i/d). */
export const rotary: ReferenceKernel<'rotary'> = ({ operands: [x], types: [type], attributes, coordinate }) => {
  const { base, inverse, tokens } = attributes;
  const [, , count, width] = type!.shape as [number, number, number, number];
  const { own } = tokenPlaces(count, tokens, coordinate);
  const half = width / 2;
  const result = new Float64Array(x!.length);
  for (let start = 0; start < x!.length; start += width) {
    const position = own[(start / width) % count]!;
    for (let i = 0; i < half; i++) {
      const angle = position * base ** (-i / half) * (inverse ? -1 : 1);
      const [a, b] = [x![start + i]!, x![start + half + i]!];
      result[start + i] = a * Math.cos(angle) - b * Math.sin(angle);
      result[start + half + i] = b * Math.cos(angle) + a * Math.sin(angle);
    }
  }
  return [result];
};

export const log_sum_exp: ReferenceKernel<'log_sum_exp'> = ({ operands: [x], types: [type] }) => {
  const { count, width } = rows(type!);
  const result = new Float64Array(count);
  for (let row = 0; row < count; row++) {
    const start = row * width;
    let largest = -Infinity;
    for (let i = start; i < start + width; i++) largest = Math.max(largest, x![i]!);
    let total = 0;
    for (let i = start; i < start + width; i++) total += Math.exp(x![i]! - largest);
    result[row] = largest + Math.log(total);
  }
  return [result];
};

export const log_sum_exp_backward: ReferenceKernel<'log_sum_exp_backward'> = ({ operands: [x, lse, dy], types }) => {
  const { count, width } = rows(types[0]!);
  const result = new Float64Array(count * width);
  for (let row = 0; row < count; row++) {
    for (let i = row * width; i < (row + 1) * width; i++) result[i] = Math.exp(x![i]! - lse![row]!) * dy![row]!;
  }
  return [result];
};

export const token_cross_entropy: ReferenceKernel<'token_cross_entropy'> = (call) => {
  const [logits, targets, lse] = call.operands;
  const classes = call.types[0]!.shape.at(-1)!;
  const part = partOf(call, classes);
  let loss = 0;
  for (let token = 0; token < targets!.length; token++) {
    const target = localIndex(part, targets![token]!);
    if (target !== undefined) loss += lse![token]! - logits![token * classes + target]!;
  }
  return [Float64Array.of(loss / call.attributes.divisor)];
};

export const token_cross_entropy_backward: ReferenceKernel<'token_cross_entropy_backward'> = (call) => {
  const [targets, cotangent] = call.operands;
  const { classes, divisor } = call.attributes;
  const part = partOf(call, classes);
  const factor = cotangent![0]! / divisor;
  const ofLogits = new Float64Array(targets!.length * classes);
  const ofLse = new Float64Array(targets!.length);
  for (let token = 0; token < targets!.length; token++) {
    const target = localIndex(part, targets![token]!);
    if (target === undefined) continue;
    ofLogits[token * classes + target] = -factor;
    ofLse[token] = factor;
  }
  return [ofLogits, ofLse];
};

/** Heads of a group lie next to each other, so that stacking them moves nothing. */
export const group_heads: ReferenceKernel<'group_heads'> = ({ operands: [x] }) => [Float64Array.from(x!)];

export const ungroup_heads: ReferenceKernel<'ungroup_heads'> = ({ operands: [x] }) => [Float64Array.from(x!)];
