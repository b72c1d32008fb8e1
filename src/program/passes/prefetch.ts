/**
 * Lets the collectives of sharded parameters run beside the layers: gathers are started some layers ahead, or all of a
 * layer's when it is reached, and the reductions of gradients that mirror them are not waited for.
 */
import { Builder, attributesOf } from '../builder.js';
import type { Op, Program, Region, ValueId } from '../types.js';
import { reads } from './fuse.js';
import { gathersParameters } from './gathers.js';
import type { Prefetch } from './shard-choice.js';

export interface PrefetchOptions {
  readonly gathers: Prefetch;
  /** Whether reductions run beside the layers. */
  readonly reductions: boolean;
}

/**
 * The ops that can be issued early: gathers of the iteration's own parameters and what they need, reading nothing that is
 * carried. What is gathered in every iteration from around the repeat (in a microbatch, of what is no layer) is not.
 */
function early({ args, ops }: Region, carried: number): ReadonlySet<Op> {
  const inside = new Set([...args.slice(0, carried), ...ops.flatMap((op) => op.results)]);
  const available = new Set<ValueId>();
  const own = new Set(args.slice(carried));
  const possible = new Set<Op>();
  for (const op of ops) {
    if (op.name !== 'cast' && !(op.name === 'all_gather' && gathersParameters(op))) continue;
    if (!reads(op).every((id) => !inside.has(id) || available.has(id))) continue;
    if (!reads(op).some((id) => own.has(id) || available.has(id))) continue;
    possible.add(op);
    op.results.forEach((id) => available.add(id));
  }
  const needed = new Set<Op>();
  const wanted = new Set<ValueId>();
  for (const op of ops.toReversed()) {
    if (!possible.has(op) || !(gathersParameters(op) || op.results.some((id) => wanted.has(id)))) continue;
    needed.add(op);
    reads(op).forEach((id) => wanted.add(id));
  }
  return needed;
}

/** What is issued early, in the order in which the rest first reads it. */
function inOrderOfUse(ops: readonly Op[], rest: readonly Op[]): Op[] {
  const firstRead = new Map<ValueId, number>();
  const read = (op: Op, at: number): void =>
    reads(op).forEach((id) => firstRead.set(id, Math.min(at, firstRead.get(id) ?? Infinity)));
  rest.forEach(read);
  const use = new Map<Op, number>();
  for (const op of ops.toReversed()) {
    const at = Math.min(...op.results.map((id) => firstRead.get(id) ?? Infinity));
    use.set(op, at);
    read(op, at);
  }
  return ops.toSorted((a, b) => use.get(a)! - use.get(b)!);
}

export function prefetchParameters(program: Program, { gathers, reductions }: PrefetchOptions): Program {
  const start = (op: Op): Op => {
    if (!gathersParameters(op)) return op;
    if (op.name === 'all_gather' && gathers !== 0) return { ...op, asynchronous: true };
    if (op.name === 'reduce_scatter' && reductions) return { ...op, asynchronous: true };
    return op;
  };
  const visit = (op: Op): Op => {
    const { region } = op;
    if (region === undefined) return start(op);
    const ops = region.ops.map(visit);
    const marked: Region = {
      ...region,
      ops,
      ...(region.ahead === undefined ? {} : { ahead: { ...region.ahead, ops: region.ahead.ops.map(start) } }),
    };
    if (op.name !== 'repeat' || gathers === 0 || region.ahead !== undefined) return { ...op, region: marked };
    const moved = early(marked, attributesOf(op, 'repeat').carried);
    if (moved.size === 0) return { ...op, region: marked };
    const rest = ops.filter((one) => !moved.has(one));
    const first = [...moved].toReversed();
    const changed: Region =
      gathers === 'layer'
        ? { ...marked, ops: [...inOrderOfUse(first, rest), ...rest] }
        : { ...marked, ops: rest, ahead: { by: gathers, ops: first } };
    return { ...op, region: changed };
  };
  const builder = Builder.from(program);
  return { ...builder.finish(program.inputs, program.outputs), ops: program.ops.map(visit) };
}
