/**
 * Attention as one kernel (Dao et al. 2022): scores, softmax and the product with the values, and the same backward,
 * tile by tile, so that what grows with the square of the sequence stays on the chip. It is found by what the ops do:
 * matmuls, joined by a softmax or its gradient and elementwise ops whose values nobody else reads.
 */
import type { ComputeName, Op, Value, ValueId } from '../../src/program/index.js';
import { attributesOf } from '../../src/program/index.js';

export interface AttentionGroup {
  /** In the program's order. */
  readonly ops: readonly Op[];
  /** The share of the scores that is computed: blocks of a causal softmax in which every weight is zero are left out. */
  readonly share: number;
  /** Whether a gradient is computed, which recomputes the scores. */
  readonly backward: boolean;
  /** How many scores there are, those that are left out included: each of the matmuls has them times a head's width. */
  readonly scores: number;
  /** Of the scores: how many keys there are to a query. */
  readonly columns: number;
}

const SOFTMAX: ReadonlySet<string> = new Set<ComputeName>(['softmax', 'softmax_backward']);
const BETWEEN: ReadonlySet<string> = new Set<ComputeName>([
  ...(SOFTMAX as ReadonlySet<ComputeName>),
  'add',
  'cast',
  'multiply',
  'scale',
]);

/** Rows and columns of the blocks that a fused kernel leaves out or computes whole (FlashAttention-2's are 128 or 64). */
export const BLOCK = 128;

const sameShape = (a: Value, b: Value): boolean => a.type.shape.join() === b.type.shape.join();

/** All that hangs together with `first` through values of the scores' shape; undefined where one of them is kept. */
function grow(first: Op, values: readonly Value[], around: Around): ReadonlySet<Op> | undefined {
  const scores = values[first.operands[0]!]!;
  const group = new Set<Op>([first]);
  const seen = new Set<ValueId>();
  const open: ValueId[] = [];
  const inner = (op: Op): void => {
    for (const id of [...op.operands, ...op.results]) if (sameShape(values[id]!, scores)) open.push(id);
  };
  inner(first);
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    if (seen.has(id)) continue;
    seen.add(id);
    const producer = around.producers.get(id);
    if (producer === undefined || around.kept.has(id)) return undefined;
    for (const op of [producer, ...(around.readers.get(id) ?? [])]) {
      if (op.name !== 'matmul' && !BETWEEN.has(op.name)) return undefined;
      if (group.has(op)) continue;
      group.add(op);
      if (op.name !== 'matmul') inner(op);
    }
  }
  return group;
}

interface Around {
  readonly producers: ReadonlyMap<ValueId, Op>;
  readonly readers: ReadonlyMap<ValueId, readonly Op[]>;
  /** What the kernel leaves for others. */
  readonly kept: ReadonlySet<ValueId>;
}

/** The groups of a kernel's ops that one attention kernel can compute. `kept`: the kernel's results. */
export function attentionGroups(
  ops: readonly Op[],
  values: readonly Value[],
  kept: ReadonlySet<ValueId>,
): AttentionGroup[] {
  if (!ops.some(({ name }) => SOFTMAX.has(name))) return [];
  const producers = new Map<ValueId, Op>();
  const readers = new Map<ValueId, Op[]>();
  for (const op of ops) {
    op.results.forEach((id) => producers.set(id, op));
    for (const id of new Set(op.operands)) readers.set(id, [...(readers.get(id) ?? []), op]);
  }
  const taken = new Set<Op>();
  const groups: AttentionGroup[] = [];
  for (const op of ops) {
    if (!SOFTMAX.has(op.name) || taken.has(op)) continue;
    const group = grow(op, values, { producers, readers, kept });
    if (group === undefined || [...group].some((member) => taken.has(member))) continue;
    const members = ops.filter((member) => group.has(member));
    const matmuls = members.filter(({ name }) => name === 'matmul');
    const softmaxes = members.filter(({ name }) => name === 'softmax');
    if (matmuls.length < 2 || softmaxes.length === 0) continue;
    group.forEach((member) => taken.add(member));
    const causal = softmaxes.every((softmax) => attributesOf(softmax, 'softmax').causal === true);
    const { shape } = values[op.operands[0]!]!.type;
    const columns = shape.at(-1)!;
    groups.push({
      ops: members,
      share: causal ? Math.min(1, (1 + BLOCK / columns) / 2) : 1,
      backward: members.some(({ name }) => name === 'softmax_backward'),
      scores: shape.reduce((product, length) => product * length, 1),
      columns,
    });
  }
  return groups;
}
