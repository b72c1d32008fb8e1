/** Which operands' memory a kernel's results may lie in. */
import type { ComputeName } from '../../../program/ops/index.js';
import type { Op, ValueId } from '../../../program/types.js';
import type { KernelSpec } from '../family.js';

/**
 * Ops whose results end with arithmetic, which writes new tensors. Any other may give its operand under another shape:
 * libraries do so for a reshape, for a part that is one run of the whole, for a cast to the same type.
 */
const NEW: ReadonlySet<string> = new Set<ComputeName>([
  'matmul',
  'matmul_weight_gradient',
  'add',
  'multiply',
  'scale',
  'moments_backward',
  'normalize',
  'normalize_backward_input',
  'gelu',
  'gelu_backward',
  'silu',
  'silu_backward',
  'softmax_backward',
  'log_sum_exp_backward',
  'adamw',
  'sgd',
  'sum_squares',
  'count_nonfinite',
]);

/** With such a factor the op gives an operand, or a sum with nothing, and a library that simplifies copies nothing. */
function isNeutral({ name, attributes }: Op): boolean {
  const { factor, momentum, beta1, beta2 } = attributes as Readonly<Record<string, unknown>>;
  return (name === 'scale' && factor === 1) || momentum === 0 || beta1 === 0 || beta2 === 0;
}

export function operandsShared({ ops, operands, results }: KernelSpec): ReadonlySet<ValueId> {
  const reached = new Set(results);
  for (const op of ops.toReversed()) {
    if ((NEW.has(op.name) && !isNeutral(op)) || !op.results.some((id) => reached.has(id))) continue;
    op.operands.forEach((id) => reached.add(id));
  }
  return new Set(operands.filter((id) => reached.has(id)));
}
