/**
 * What a framework keeps for the backward pass beside the values of a program: masks of dropout, and what attention's leaves
 * (Korthikanti et al. 2022, §4.1: of the 34·s·b·h bytes of a layer 2·s·b·h are masks of the stream, and of the 5·a·s²·b all
 * but softmax's own 2). Each is counted with a value that lives as long.
 */
import type { Stack } from '../../src/hardware/index.js';
import type { Op, Program, Value, ValueId } from '../../src/program/index.js';
import { attributesOf, elementCount } from '../../src/program/index.js';
import { ownStreamElements } from './passes-beside.js';

/** A byte an element of a mask, and scores in 16 bits that are multiplied by values in place of softmax's own. */
const DROPPED_SCORES = 1 + 2;
/** Masks of what attention and the MLP bring back into the stream. */
const STREAM_MASKS = 2;
/** The MLP's activations are kept as its output's matmul needs them, and no longer than the layer's masks. */
const MLP_OUTPUT = /mlp\/out\/matmul$/;

function keptOf(op: Op, values: readonly Value[], stack: Stack): readonly [ValueId, number] | undefined {
  const [result] = op.results;
  const shape = result === undefined ? [] : values[result]!.type.shape;
  if (op.name === 'softmax' && stack.attentionDropout && stack.attention !== 'fused')
    return [result!, DROPPED_SCORES * elementCount(shape)];
  if (op.name === 'matmul' && stack.hiddenDropout && MLP_OUTPUT.test(op.id))
    return [op.operands[0]!, STREAM_MASKS * ownStreamElements(shape, values)];
  return undefined;
}

/** Bytes by value; those of a stack of values are of all its elements together. */
export function keptBeside({ ops, values }: Program, stack: Stack): ReadonlyMap<ValueId, number> {
  const found = new Map<ValueId, number>();
  const visit = (op: Op): void => {
    const own = keptOf(op, values, stack);
    if (own !== undefined) found.set(...own);
    if (op.region === undefined) return;
    op.region.ops.forEach(visit);
    if (op.name !== 'repeat') return;
    const { carried, count } = attributesOf(op, 'repeat');
    op.region.results.slice(carried).forEach((id, index) => {
      const each = found.get(id);
      if (each !== undefined) found.set(op.results[carried + index]!, each * count);
    });
  };
  if (stack.hiddenDropout || stack.attentionDropout) ops.forEach(visit);
  return found;
}
