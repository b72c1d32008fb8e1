/** Losses over class logits [B,C] and target probabilities [B,C], summed and divided by the global batch. */
import type { OpRecord } from './record.js';
import { inferByRule, vector } from './record.js';

const ROWS = ['b', 'c'];

/** Σ over examples and classes of the binary cross-entropy, each class on its own; classes may be sharded. */
export const sigmoid_cross_entropy: OpRecord<'sigmoid_cross_entropy'> = {
  infer: (operands, _, mesh) =>
    inferByRule('sigmoid_cross_entropy', { operands: [ROWS, ROWS], results: [[]], summed: ROWS }, operands, mesh),
  work: vector(20),
  vjp: (context, op, [cotangent]) => [
    context.emit('sigmoid_cross_entropy_backward', [...op.operands, cotangent!], op.attributes, 'backward'),
    undefined,
  ],
};

/** (logits, targets, dloss []) → (sigmoid(logits) − targets) · dloss / divisor. */
export const sigmoid_cross_entropy_backward: OpRecord<'sigmoid_cross_entropy_backward'> = {
  infer: (operands, _, mesh) =>
    inferByRule(
      'sigmoid_cross_entropy_backward',
      { operands: [ROWS, ROWS, []], results: [ROWS], linear: [2] },
      operands,
      mesh,
    ),
  work: vector(12),
};

/** Σ over examples of the cross-entropy of softmax(logits); classes are whole on every rank. */
export const softmax_cross_entropy: OpRecord<'softmax_cross_entropy'> = {
  infer: (operands, _, mesh) =>
    inferByRule('softmax_cross_entropy', { operands: [ROWS, ROWS], results: [[]], summed: ['b'] }, operands, mesh),
  work: vector(20),
  vjp: (context, op, [cotangent]) => [
    context.emit('softmax_cross_entropy_backward', [...op.operands, cotangent!], op.attributes, 'backward'),
    undefined,
  ],
};

/** (logits, targets, dloss []) → (softmax(logits) · Σ targets − targets) · dloss / divisor. */
export const softmax_cross_entropy_backward: OpRecord<'softmax_cross_entropy_backward'> = {
  infer: (operands, _, mesh) =>
    inferByRule(
      'softmax_cross_entropy_backward',
      {
        operands: [ROWS, ROWS, []],
        results: [['b', 'n']],
        linear: [2],
        resultSizes: [{ n: operands[0]?.shape[1] ?? 0 }],
      },
      operands,
      mesh,
    ),
  work: vector(16),
};
