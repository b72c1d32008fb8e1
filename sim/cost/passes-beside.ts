/**
 * Passes over memory that a framework makes beside the ops of a program: dropout, which programs leave out as it changes
 * nothing but the data; copies into the layout that an attention kernel wants; and what it computes op by op where the
 * program has it in one: a softmax, a rotary embedding, the buckets that gradients are summed in. What they
 * leave for the backward pass is in `kept-beside.ts`.
 */
import type { Stack } from '../../src/hardware/index.js';
import { stateOf } from '../../src/mesh/index.js';
import type { Op, Value } from '../../src/program/index.js';
import { DTYPE_BYTES, attributesOf, elementCount } from '../../src/program/index.js';
import { isWidening } from './functions.js';

/** Each is a launch of its own. */
export interface PassBeside {
  readonly memoryBytes: number;
  readonly vectorFlops: number;
}

/** Bytes an element that each pass reads and writes. */
interface Passes {
  readonly elements: number;
  readonly bytes: readonly number[];
}

const NONE: Passes = { elements: 0, bytes: [] };

/** On what softmax leaves, a byte an element of a mask besides; the gradient reads the mask. */
const DROPOUT = [2 + 2 + 1];

/**
 * What a softmax op by op in f32 moves besides the one kernel that the program's op stands for: to f32, scaled, masked,
 * softmax, back; and the gradient of each (Megatron-LM, fused_softmax.py: forward_torch_softmax).
 */
const SOFTMAX = [2 + 4, 4 + 4, 4 + 4 + 1, 4, 4 + 2];
const SOFTMAX_BACKWARD = [2 + 4, 6, 4 + 4 + 1, 4 + 4, 4 + 2];

/**
 * A rotary embedding op by op in 16 bits, x·cos + rotateHalf(x)·sin, besides the one kernel that the program's op stands
 * for, which is x·cos: the negative of a half, both halves joined, times sin, and the sum. Backward, which turns the other
 * way, each half's gradient is put into zeros of the whole, and three terms are added up (Aleph-Alpha/scaling,
 * core/nn/rotary.py: apply_rotary_pos_emb, rotate_half).
 */
const ROTARY = [1 + 1, 2 + 2, 2 + 2, 4 + 2];
const ROTARY_BACKWARD = [2 + 2, 1 + 1, 2, 1 + 1, 2, 1 + 1, 4 + 2, 4 + 2];

/** Heads times sequences: each has as many queries as keys, and queries of heads that share keys are in one dimension. */
const squaresOf = (shape: readonly number[]): number => elementCount(shape) / shape.at(-1)! ** 2;

function ofSoftmax({ name }: Op, shape: readonly number[], stack: Stack): readonly number[] {
  const { attention, attentionDropout, softmaxMultiple } = stack;
  if (attention === 'fused') return [];
  const isOneKernel = squaresOf(shape) % softmaxMultiple === 0;
  return [
    ...(isOneKernel ? [] : name === 'softmax' ? SOFTMAX : SOFTMAX_BACKWARD),
    ...(attentionDropout ? DROPOUT : []),
  ];
}

/** A copy reads and writes. */
const copiesOf = (id: number, values: readonly Value[], count: number): Passes => ({
  elements: elementCount(values[id]!.type.shape),
  bytes: Array.from({ length: count }, () => 2 * DTYPE_BYTES[values[id]!.type.dtype]),
});

/** Heads are split off what attention reads, and merged in what it leaves; the other way round in their gradients. */
function ofHeads({ name, id, results: [result] }: Op, values: readonly Value[], stack: Stack): Passes {
  const { attentionCopies, attention } = stack;
  const [sequences] = values[result!]!.type.shape;
  if (attentionCopies === undefined || attention !== 'fused' || sequences! < attentionCopies.fromSequences) return NONE;
  const isGradient = id.endsWith('#backward');
  const isOperand = (name === 'split_heads') !== isGradient;
  const { operands, result: ofResult } = isGradient ? attentionCopies.backward : attentionCopies.forward;
  return copiesOf(result!, values, isOperand ? operands : ofResult);
}

/**
 * Dropout of what comes back into the stream, in one kernel with bias and sum as Megatron-LM has it (bias_dropout_add): a
 * byte an element of a mask, which the gradient reads, and writes what it drops in 16 bits.
 */
const HIDDEN_DROPOUT = [2 + 1 + 2 + 1];
const DROPPED_GRADIENT = /(attention|mlp)\/out\/matmul#backward-input$/;

/** By the values of a program: the shape of a chip's part of the stream where it is sharded by tokens over `model`. */
const tokenShards = new WeakMap<readonly Value[], readonly number[] | undefined>();

/**
 * The elements of the stream that a chip drops: where it is sharded by tokens over `model`, its own, though the matmul
 * before and the one after read those of all.
 *
 * @param whole [B,S,D]
 */
export function ownStreamElements(whole: readonly number[], values: readonly Value[]): number {
  if (!tokenShards.has(values)) {
    const isPart = ({ type: { shape, states } }: Value): boolean =>
      shape.length === 3 && shape[2] === whole[2] && stateOf(states, 'model') === 1;
    tokenShards.set(values, values.find(isPart)?.type.shape);
  }
  const tokens = tokenShards.get(values)?.[1] ?? whole[1]!;
  return (elementCount(whole) / whole[1]!) * Math.min(tokens, whole[1]!);
}

/** Of a gradient that dropout goes back through, how many elements of it: what hangs on more than the op. */
export const droppedElements = (op: Op, values: readonly Value[], { hiddenDropout }: Stack): number | undefined =>
  hiddenDropout && DROPPED_GRADIENT.test(op.id)
    ? ownStreamElements(values[op.operands[0]!]!.type.shape, values)
    : undefined;

/** A gradient that is about to be summed over chips, in a wider type: what else is done to it, before and after. */
const isSummed = (op: Op, values: readonly Value[]): boolean => op.phase === 'reduce' && isWidening(op, values);

function passesOf(op: Op, values: readonly Value[], stack: Stack): Passes {
  const shapeOf = (id: number): readonly number[] => values[id]!.type.shape;
  if (op.name === 'rotary' && stack.rotary === 'composed') {
    const { inverse } = attributesOf(op, 'rotary');
    return { elements: elementCount(shapeOf(op.results[0]!)), bytes: inverse ? ROTARY_BACKWARD : ROTARY };
  }
  if (op.name === 'split_heads' || op.name === 'merge_heads') return ofHeads(op, values, stack);
  const dropped = droppedElements(op, values, stack);
  if (dropped !== undefined) return { elements: dropped, bytes: HIDDEN_DROPOUT };
  if (stack.gradientPasses !== undefined && isSummed(op, values))
    return { elements: elementCount(shapeOf(op.results[0]!)), bytes: stack.gradientPasses };
  if (op.name === 'softmax' || op.name === 'softmax_backward') {
    const shape = shapeOf(op.results[0]!);
    return { elements: elementCount(shape), bytes: ofSoftmax(op, shape, stack) };
  }
  return NONE;
}

export function passesBeside(op: Op, values: readonly Value[], stack: Stack): PassBeside[] {
  const { elements, bytes } = passesOf(op, values, stack);
  return bytes.map((moved) => ({ memoryBytes: moved * elements, vectorFlops: elements }));
}
