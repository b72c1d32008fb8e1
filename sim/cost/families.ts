/**
 * Ops that a stack which otherwise runs op by op computes with a kernel of their own: a normalization with the casts around
 * it, and what adds up the terms of its gradient.
 */
import type { ComputeName, Op, ValueId } from '../../src/program/index.js';

const NORMS: ReadonlySet<string> = new Set<ComputeName>([
  'moments',
  'moments_backward',
  'normalize',
  'normalize_backward_gain',
  'normalize_backward_input',
  'normalize_backward_moments',
]);

/** Ops beside them that such a kernel does on the way. */
const BESIDE: ReadonlySet<string> = new Set<ComputeName>(['add', 'cast']);

/**
 * The groups of a kernel's ops that are one normalization each, in the program's order: ops that hang together through
 * what they make, with casts that nobody else reads, casts of their results, and sums of two of them.
 */
export function normGroups(ops: readonly Op[]): Op[][] {
  if (!ops.some(({ name }) => NORMS.has(name))) return [];
  const makers = new Map<ValueId, Op>();
  const readers = new Map<ValueId, Op[]>();
  for (const op of ops) {
    op.results.forEach((id) => makers.set(id, op));
    for (const id of new Set(op.operands)) readers.set(id, [...(readers.get(id) ?? []), op]);
  }
  const groupOf = new Map<Op, Op[]>();
  const join = (a: Op, b: Op): void => {
    const [into, from] = [groupOf.get(a) ?? [a], groupOf.get(b) ?? [b]];
    if (into === from) return;
    into.push(...from);
    into.forEach((op) => groupOf.set(op, into));
  };
  const isNorm = (op: Op | undefined): op is Op => op !== undefined && (NORMS.has(op.name) || groupOf.has(op));
  for (const op of ops) {
    if (NORMS.has(op.name)) {
      if (!groupOf.has(op)) groupOf.set(op, [op]);
      for (const id of op.operands) {
        const maker = makers.get(id);
        const isOwnCast = maker?.name === 'cast' && readers.get(id)!.every(({ name }) => NORMS.has(name));
        if (isNorm(maker) || isOwnCast) join(op, maker);
        // Those that read the same value are halves of one gradient.
        for (const other of readers.get(id)!) if (isNorm(other) && makers.has(id)) join(op, other);
      }
    } else if (BESIDE.has(op.name)) {
      const sources = op.operands.map((id) => makers.get(id));
      if (!sources.every(isNorm)) continue;
      sources.forEach((source) => join(source, op));
    }
  }
  const order = new Map(ops.map((op, index) => [op, index] as const));
  return [...new Set(groupOf.values())].map((group) => group.sort((a, b) => order.get(a)! - order.get(b)!));
}
