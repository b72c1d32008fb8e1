/** Parameter updates, elementwise on the local shard. The learning rate and the step are scalars given each step. */
import { normalizeStates, stateOf } from '../../mesh/index.js';
import type { ValueType } from '../types.js';
import type { OpRecord } from './record.js';
import { elements, inferByRule, invalid, labels, vector } from './record.js';

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

/**
 * How many elements of the tensors are infinite or no numbers: f32 []. Partial over an axis that any of them is sharded
 * over; a replicated one beside it then counts once a rank, so only zero is exact.
 */
export const count_nonfinite: OpRecord<'count_nonfinite'> = {
  infer: (operands, _, mesh) => {
    if (operands.length === 0) throw invalid('count_nonfinite', 'operands', 'none');
    const states = mesh.axes.map(({ name }) => {
      const found = operands.map((operand) => stateOf(operand.states, name));
      if (found.includes('partial')) throw invalid(`count_nonfinite, axis ${name}`, 'whole or sharded', 'partial');
      return [name, found.some((state) => state !== 'replicated') ? 'partial' : 'replicated'] as const;
    });
    return [{ shape: [], dtype: 'f32', states: normalizeStates(mesh, Object.fromEntries(states)) }];
  },
  work: (operands) => ({ vectorFlops: operands.reduce((total, operand) => total + elements(operand), 0) }),
};

/** Dynamic loss scaling (Micikevicius et al. 2018): (scale [], finite steps [], count of non-finite []) → the new two. */
export const update_loss_scale: OpRecord<'update_loss_scale'> = {
  infer: (operands, _, mesh) =>
    inferByRule('update_loss_scale', { operands: [[], [], []], results: [[], []] }, operands, mesh),
  work: vector(4),
};
