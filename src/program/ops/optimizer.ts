/** Parameter updates, elementwise on the local shard. The learning rate and the step are scalars given each step. */
import type { ValueType } from '../types.js';
import type { OpRecord } from './record.js';
import { inferByRule, labels, vector } from './record.js';

const update = (operands: readonly ValueType[], tensors: number, scalars: number, results: number) => {
  const all = labels(operands[0]?.shape.length ?? 0);
  return {
    operands: [...Array.from({ length: tensors }, () => all), ...Array.from({ length: scalars }, () => [])],
    results: Array.from({ length: results }, () => all),
  };
};

/**
 * AdamW (Loshchilov and Hutter 2019): (parameter, gradient, first moment, second moment, learning rate [], step [])
 * → the three updated. The step counts from 1; decay is decoupled and scaled by the learning rate.
 */
export const adamw: OpRecord<'adamw'> = {
  infer: (operands, _, mesh) => inferByRule('adamw', update(operands, 4, 2, 3), operands, mesh),
  work: vector(16),
};

/** SGD: (parameter, gradient, momentum, learning rate []) → (parameter, momentum); v ← μ·v + g + λ·p, p ← p − η·v. */
export const sgd: OpRecord<'sgd'> = {
  infer: (operands, _, mesh) => inferByRule('sgd', update(operands, 3, 1, 2), operands, mesh),
  work: vector(6),
};
