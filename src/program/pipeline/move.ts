/** Moves ops into a later block, which sees of the earlier one what is kept for it. */
import type { Builder } from '../builder.js';
import { reads } from '../passes/fuse.js';
import { substitute } from '../passes/regions.js';
import type { Keeping } from '../passes/keeping.js';
import { isMadeAgain } from '../passes/keeping.js';
import type { Op, ValueId } from '../types.js';
import { typeBytes } from '../types.js';

export interface Earlier {
  readonly makers: ReadonlyMap<ValueId, Op>;
  /** Whether the later block sees a value in any case, so that nothing has to be kept for it. */
  isShared(value: ValueId): boolean;
  readonly keeping: Keeping;
  /** What the later block sees of a value: kept, unless it is shared. */
  keep(value: ValueId): ValueId;
}

/**
 * The ops, reading what was kept for them. As in a backward pass, what takes no arithmetic is made again: a gather of a
 * shard, a cast of a parameter; unless that would keep more than it saves.
 */
export function moveLater(builder: Builder, ops: readonly Op[], earlier: Earlier): Op[] {
  const own = new Set(ops.flatMap(({ results }) => results));
  const seen = new Map<ValueId, ValueId>();
  const moved: Op[] = [];
  const again = (id: ValueId): Op | undefined => {
    const maker = earlier.makers.get(id);
    if (maker === undefined || earlier.isShared(id)) return undefined;
    if (maker.name === 'constant') return maker;
    if (!isMadeAgain(maker, earlier.keeping, (value) => earlier.isShared(value))) return undefined;
    const kept = maker.operands.reduce((total, operand) => total + bytesToKeep(operand), 0);
    return kept <= typeBytes(builder.type(id)) ? maker : undefined;
  };
  const bytesToKeep = (id: ValueId): number => {
    if (seen.has(id) || earlier.isShared(id)) return 0;
    const maker = again(id);
    if (maker === undefined) return typeBytes(builder.type(id));
    return maker.operands.reduce((total, operand) => total + bytesToKeep(operand), 0);
  };
  const see = (id: ValueId): ValueId => {
    if (own.has(id)) return id;
    const known = seen.get(id);
    if (known !== undefined) return known;
    const maker = again(id);
    if (maker === undefined) {
      seen.set(id, earlier.keep(id));
    } else {
      const operands = maker.operands.map(see);
      const results = maker.results.map((result) => builder.copyOf(result));
      const copy = builder.uniqueId(maker.id.endsWith('#again') ? maker.id : `${maker.id}#again`);
      moved.push({ ...maker, id: copy, phase: 'backward', operands, results });
      maker.results.forEach((result, index) => seen.set(result, results[index]!));
    }
    return seen.get(id)!;
  };
  for (const op of ops) {
    reads(op).forEach(see);
    moved.push(...substitute([op], seen));
  }
  return moved;
}
