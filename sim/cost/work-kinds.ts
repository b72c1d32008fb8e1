/** Which kind of work an op is, and which form a matmul has: what rates are kept by where ops were timed one by one. */
import type { MatmulForm, WorkKind } from '../../src/hardware/index.js';
import type { Attributes, ComputeName, Op, Value } from '../../src/program/index.js';
import { isCompute } from '../../src/program/index.js';

const KINDS = {
  matmul: 'matmul',
  matmul_weight_gradient: 'matmul',
  constant: 'elementwise',
  cast: 'elementwise',
  add: 'elementwise',
  multiply: 'elementwise',
  scale: 'elementwise',
  select: 'elementwise',
  reciprocal: 'elementwise',
  expand: 'copy',
  split: 'copy',
  concat: 'copy',
  copy_to_shards: 'copy',
  split_heads: 'copy',
  merge_heads: 'copy',
  group_heads: 'copy',
  ungroup_heads: 'copy',
  extract_patches: 'copy',
  assemble_patches: 'copy',
  sum: 'reduction',
  count_nonfinite: 'reduction',
  sum_squares: 'reduction',
  max_absolute: 'reduction',
  rotary: 'activation',
  gelu: 'activation',
  gelu_backward: 'activation',
  silu: 'activation',
  silu_backward: 'activation',
  softmax: 'softmax',
  softmax_backward: 'softmax',
  log_sum_exp: 'softmax',
  log_sum_exp_backward: 'softmax',
  moments: 'norm',
  moments_backward: 'norm',
  normalize: 'norm',
  normalize_backward_input: 'norm',
  normalize_backward_moments: 'norm',
  normalize_backward_gain: 'norm',
  embedding: 'lookup',
  embedding_backward: 'lookup',
  sigmoid_cross_entropy: 'loss',
  sigmoid_cross_entropy_backward: 'loss',
  softmax_cross_entropy: 'loss',
  softmax_cross_entropy_backward: 'loss',
  token_cross_entropy: 'loss',
  token_cross_entropy_backward: 'loss',
  adamw: 'update',
  sgd: 'update',
  update_loss_scale: 'update',
} as const satisfies Record<ComputeName, WorkKind>;

const hasLeading = (op: Op, values: readonly Value[]): boolean => values[op.operands[1]!]!.type.shape.length > 2;

/** Of an op that computes; anything else is copied. */
export function workKindOf(op: Op, values: readonly Value[]): WorkKind {
  if (!isCompute(op.name)) return 'copy';
  return op.name === 'matmul' && hasLeading(op, values) ? 'batched-matmul' : KINDS[op.name];
}

/** Of a matmul. */
export function matmulFormOf(op: Op, values: readonly Value[]): MatmulForm {
  if (op.name === 'matmul_weight_gradient') return 'weight-gradient';
  const { transposeA, transposeB } = op.attributes as Attributes['matmul'];
  const form = `${transposeA ? 't' : 'n'}${transposeB ? 't' : 'n'}` as const;
  return hasLeading(op, values) ? `batched-${form}` : form;
}
