/** What a framework that runs op by op has as one function, where a program has several ops for it. */
import type { Stack } from '../../src/hardware/index.js';
import type { ComputeName, Op, Program, Value, ValueId } from '../../src/program/index.js';
import { DTYPE_BYTES, regionOps } from '../../src/program/index.js';

type FunctionName = 'log-softmax-gradient' | 'norm' | 'norm-gradient' | 'norm-weight-gradient';

const FUNCTIONS: Readonly<Partial<Record<string, FunctionName>>> = {
  log_sum_exp_backward: 'log-softmax-gradient',
  moments: 'norm',
  moments_backward: 'norm-gradient',
  normalize: 'norm',
  normalize_backward_gain: 'norm-weight-gradient',
  normalize_backward_input: 'norm-gradient',
  normalize_backward_moments: 'norm-gradient',
} satisfies Partial<Record<ComputeName, FunctionName>>;

type Norms = Stack['norms'];

/** The function that an op is a part of; of an RMS norm that is composed of others each op is its own. */
const functionOf = ({ name, attributes }: Op, norms: Norms): FunctionName | undefined =>
  norms === 'composed' && (attributes as { centered?: boolean }).centered === false ? undefined : FUNCTIONS[name];

/** Who takes its operands in a narrow type and widens them as it reads; others have them cast first. */
const widens = (op: Op, norms: Norms): boolean =>
  op.name === 'sum' || functionOf(op, norms)?.startsWith('norm') === true;

const NO_VIEWS: ReadonlySet<string> = new Set();
/** What makes another shape of the same memory. */
const VIEWS: ReadonlySet<string> = new Set<ComputeName>(['copy_to_shards', 'merge_heads', 'split', 'split_heads']);

/** Ops whose results are other views of their operand's memory. */
export const viewsOf = ({ elementwise }: Pick<Stack, 'elementwise'>): ReadonlySet<string> =>
  elementwise === 'function' ? VIEWS : NO_VIEWS;

export const isView = ({ name }: Op): boolean => VIEWS.has(name);

const bytesOf = (id: number | undefined, values: readonly Value[]): number => DTYPE_BYTES[values[id!]!.type.dtype];

/** A cast to a wider type. */
export const isWidening = (op: Op, values: readonly Value[]): boolean =>
  op.name === 'cast' && bytesOf(op.results[0], values) > bytesOf(op.operands[0], values);

/** Whether an op is a part of what a kernel of `members` computes. */
export function isPartOf(op: Op, members: readonly Op[], values: readonly Value[], norms: Norms): boolean {
  const own = members.find((member) => !isWidening(member, values));
  if (own === undefined || isWidening(op, values)) return false;
  const reads = members.some(({ results }) => results.some((id) => op.operands.includes(id)));
  const shares = members.some(({ operands }) => operands.some((id) => op.operands.includes(id)));
  if (!reads && !shares) return false;
  const named = functionOf(own, norms);
  if (named !== undefined && functionOf(op, norms) === named) return true;
  if (!reads) return false;
  const narrowed = members.some((member) => member.name === 'cast' && !isWidening(member, values));
  // A gradient that has several terms has them added up, and a norm's results go to memory in the narrow type.
  if (op.name === 'add') return !narrowed && named?.endsWith('gradient') === true;
  return op.name === 'cast' && !narrowed && named?.startsWith('norm') === true;
}

/** An addition of a vector to all rows of a product. */
export function isBias({ name, operands, results }: Op, values: readonly Value[]): boolean {
  const rank = values[results[0]!]!.type.shape.length;
  return name === 'add' && operands.some((id) => values[id]!.type.shape.length === 1) && rank > 1;
}

/** By what casts to a wider type make, what they are made of. */
export type Widened = ReadonlyMap<ValueId, ValueId>;

export const NONE_WIDENED: Widened = new Map();

/** Of a whole program: what only those read who widen it themselves, so that it needs no memory of its own. */
export function widenedOf({ ops, values, outputs }: Program, norms: Norms): Widened {
  const found = new Map<ValueId, ValueId>();
  const others = new Set<ValueId>(outputs.map(({ value }) => value));
  const look = (op: Op): void => {
    if (isWidening(op, values)) found.set(op.results[0]!, op.operands[0]!);
    const { name, region, operands } = op;
    if (name !== 'kernel') {
      if (!widens(op, norms)) operands.forEach((id) => others.add(id));
      region?.results.forEach((id) => others.add(id));
    }
    if (region !== undefined) regionOps(region).forEach(look);
  };
  ops.forEach(look);
  others.forEach((id) => found.delete(id));
  return found;
}
