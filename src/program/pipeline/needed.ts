/** Backward slices of a block. */
import { reads } from '../passes/fuse.js';
import type { Op, ValueId } from '../types.js';

/** The ops of a block that some values depend on, those that make them included. */
export function opsFor(ops: readonly Op[], roots: Iterable<ValueId>): ReadonlySet<Op> {
  const wanted = new Set(roots);
  const found = new Set<Op>();
  for (const op of ops.toReversed()) {
    if (!op.results.some((id) => wanted.has(id))) continue;
    found.add(op);
    reads(op).forEach((id) => wanted.add(id));
  }
  return found;
}

export const makersOf = (ops: readonly Op[]): ReadonlyMap<ValueId, Op> =>
  new Map(ops.flatMap((op) => op.results.map((id) => [id, op] as const)));
