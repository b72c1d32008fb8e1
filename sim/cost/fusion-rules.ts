/** What a compiler knows of an op when it decides what to compute together. */
import type { ComputeName, Op, Value, ValueId } from '../../src/program/index.js';

/** Ops that work on each element alone, so that the matmul before them can do it to what it is about to write. */
const ELEMENTWISE: ReadonlySet<string> = new Set<ComputeName>([
  'add',
  'cast',
  'gelu',
  'gelu_backward',
  'multiply',
  'scale',
  'silu',
  'silu_backward',
]);

interface Reduction {
  /** How many sums (or maxima) over its operands it has to have before its last one, or before it can begin. */
  readonly before: number;
  /** Whether what it makes is a sum itself, so that whoever reads it has to wait for all of it. */
  readonly last: boolean;
}

const SUM: Reduction = { before: 0, last: true };
const REDUCTIONS: Readonly<Partial<Record<string, Reduction>>> = {
  sum: SUM,
  moments: SUM,
  normalize_backward_moments: SUM,
  normalize_backward_gain: SUM,
  embedding_backward: SUM,
  count_nonfinite: SUM,
  sum_squares: SUM,
  max_absolute: SUM,
  token_cross_entropy: SUM,
  sigmoid_cross_entropy: SUM,
  // A maximum first. What a softmax then writes are exponentials, beside their sums, which readers divide by.
  softmax: { before: 1, last: true },
  log_sum_exp: { before: 1, last: true },
  softmax_cross_entropy: { before: 1, last: true },
  softmax_backward: { before: 1, last: false },
  softmax_cross_entropy_backward: { before: 2, last: false },
} satisfies Partial<Record<ComputeName, Reduction>>;

/** In one pass: as a kernel does that keeps its rows on the chip until it is done with them. */
const ONE_PASS: Reduction = { before: 0, last: false };

export const reductionOf = ({ name }: Op, reductions: 'one-pass' | 'end-fusion'): Reduction =>
  reductions === 'one-pass' ? ONE_PASS : (REDUCTIONS[name] ?? ONE_PASS);

/** What costs more to compute again than to read (XLA's `InstructionFusion::IsExpensive`: exp, erf, …), or can't be in parts. */
const COMPUTED_ONCE: ReadonlySet<string> = new Set<ComputeName>([
  'adamw',
  'embedding',
  'gelu',
  'gelu_backward',
  'log_sum_exp_backward',
  'sgd',
  'sigmoid_cross_entropy_backward',
  'silu',
  'silu_backward',
  'softmax_cross_entropy_backward',
  'update_loss_scale',
]);

export const isComputedOnce = ({ name }: Op): boolean => COMPUTED_ONCE.has(name);

const elements = (id: ValueId, values: readonly Value[]): number =>
  values[id]!.type.shape.reduce((product, size) => product * size, 1);

/** Whether an op does what is between a gradient and the running sum that has it: a cast to its type, and the addition. */
export const isAccumulation = ({ name, results }: Op, values: readonly Value[]): boolean =>
  (name === 'cast' || name === 'add') && values[results[0]!]!.role === 'gradient';

/**
 * Whether a matmul's fusion can take an op after it: one that does something to each element of its product, or sums
 * over them.
 *
 * @param inside whether a value is made in that fusion, element by element
 */
export function canFollow(
  op: Op,
  product: ValueId,
  values: readonly Value[],
  sums: boolean,
  inside: (id: ValueId) => boolean,
): boolean {
  const size = elements(product, values);
  if (sums) return op.operands.some((id) => inside(id) && elements(id, values) === size);
  return ELEMENTWISE.has(op.name) && op.operands.some(inside) && elements(op.results[0]!, values) === size;
}
