/** Where a block's values are used for the last time: what the memory analysis counts, and what ranks let go. */
import { reads } from './passes/fuse.js';
import type { Op, ValueId } from './types.js';

/**
 * For each op, the values whose last use it is; what nothing uses ends with the op that makes it.
 *
 * @param owned values that end in the block, unless they are `live` after it
 */
export function lastUses(ops: readonly Op[], owned: Iterable<ValueId>, live: readonly ValueId[]): ValueId[][] {
  const droppable = new Set(owned);
  live.forEach((id) => droppable.delete(id));
  return ops
    .toReversed()
    .map((op) => {
      const last = [...new Set([...reads(op), ...op.results])].filter((id) => droppable.has(id));
      last.forEach((id) => droppable.delete(id));
      return last;
    })
    .reverse();
}
