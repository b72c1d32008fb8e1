/**
 * Groups the compute ops between collectives into kernels: what one launch executes, and what is timed, costed and
 * joined. What happens inside a kernel is the software stack's business (its profile says what it fuses further).
 */
import { attributesOf, Builder } from '../builder.js';
import { isCompute } from '../ops/index.js';
import type { Op, Program, Region, ValueId } from '../types.js';
import { isMonitor, isOnHost, regionOps } from '../types.js';

/** Of ops with a region, which are asked again and again, by every pass and at every level around them. */
const known = new WeakMap<Op, readonly ValueId[]>();

/** Values that an op reads from around it, those of its region included; those of a region once each. */
export function reads(op: Op): readonly ValueId[] {
  const { operands, region } = op;
  if (region === undefined) return operands;
  let found = known.get(op);
  if (found === undefined) {
    const ops = regionOps(region);
    const inside = new Set(region.args);
    for (const { results } of ops) for (const id of results) inside.add(id);
    const outside = new Set(operands);
    for (const inner of ops) for (const id of reads(inner)) outside.add(id);
    for (const id of region.results) outside.add(id);
    for (const id of inside) outside.delete(id);
    known.set(op, (found = [...outside]));
  }
  return found;
}

function kernelOf(ops: readonly Op[], needed: ReadonlySet<ValueId>): Op {
  const made = new Set(ops.flatMap((op) => op.results));
  const operands = [...new Set(ops.flatMap((op) => op.operands))].filter((id) => !made.has(id));
  const results = [...made].filter((id) => needed.has(id));
  const own = ops.filter((op) => !isMonitor(op));
  const [{ id }, ...others] = (own.length === 0 ? ops : own) as [Op, ...Op[]];
  return {
    name: 'kernel',
    id: others.length === 0 ? `${id}!` : `${id}+${others.length}`,
    phase: ops[0]!.phase,
    operands,
    results,
    attributes: {},
    region: { args: [], ops, results: [] },
  };
}

/**
 * The ops that a kernel has to begin with: the first to read what an asynchronous collective brings, so that what does
 * not depend on it is launched before and runs meanwhile.
 *
 * @param pending what asynchronous collectives bring that the block begins with, each collective's values together
 */
function firstReaders(ops: readonly Op[], pending: readonly (readonly ValueId[])[]): ReadonlySet<Op> {
  const waited = new Map<ValueId, readonly ValueId[]>();
  const wait = (values: readonly ValueId[]) => values.forEach((id) => waited.set(id, values));
  pending.forEach(wait);
  const found = new Set<Op>();
  for (const op of ops) {
    // Who waits for one of a collective's values has all of them.
    const awaited = reads(op).flatMap((id) => waited.get(id) ?? []);
    if (awaited.length > 0) found.add(op);
    awaited.forEach((id) => waited.delete(id));
    if (op.asynchronous === true) wait(op.results);
  }
  return found;
}

type IsOnHost = (op: Op) => boolean;

/** @param live values that are needed after the block */
function fuseBlock(
  ops: readonly Op[],
  live: readonly ValueId[],
  isOnHost: IsOnHost,
  pending: readonly (readonly ValueId[])[] = [],
): Op[] {
  const fused: Op[] = [];
  const begins = firstReaders(ops, pending);
  // From the last op to the first, so that what later ops need is known: outside the open group, and inside it.
  const needed = new Set(live);
  let group: Op[] = [];
  let neededInside = new Set<ValueId>();
  const close = (): void => {
    if (group.length === 0) return;
    const kernel = kernelOf(group, needed);
    kernel.operands.forEach((id) => needed.add(id));
    fused.push(kernel);
    group = [];
    neededInside = new Set();
  };
  for (const op of ops.toReversed()) {
    if (isCompute(op.name)) {
      // An op of which nothing is needed is not launched, unless it has to be.
      if (op.unread !== true && !op.results.some((id) => needed.has(id) || neededInside.has(id))) continue;
      if (group.length > 0 && (group[0]!.phase !== op.phase || isOnHost(group[0]!) !== isOnHost(op))) close();
      group.unshift(op);
      op.operands.forEach((id) => neededInside.add(id));
      if (begins.has(op)) close();
      continue;
    }
    close();
    reads(op).forEach((id) => needed.add(id));
    fused.push(op.region ? { ...op, region: fuseRegion(op, op.region, isOnHost) } : op);
  }
  close();
  return fused.reverse();
}

function fuseRegion(op: Op, region: Region, isOnHost: IsOnHost): Region {
  const { ahead, ops, args, results } = region;
  const brought = (list: readonly Op[]) => list.flatMap((one) => (one.asynchronous === true ? [one.results] : []));
  const early = brought(ahead?.ops ?? []);
  // What a collective of one iteration brings may first be read in the next one.
  const carried = op.name === 'repeat' ? attributesOf(op, 'repeat').carried : 0;
  const late = brought(ops).map((values) =>
    args.slice(0, carried).filter((_, index) => values.includes(results[index]!)),
  );
  const fused = fuseBlock(ops, results, isOnHost, [...early, ...late]);
  if (ahead === undefined) return { ...region, ops: fused };
  const needed = [...fused.flatMap(reads), ...results];
  return { ...region, ops: fused, ahead: { ...ahead, ops: fuseBlock(ahead.ops, needed, isOnHost) } };
}

export function fuse(program: Program): Program {
  const builder = new Builder(program.mesh, program.values);
  builder.append(
    fuseBlock(
      program.ops,
      program.outputs.map(({ value }) => value),
      (op) => isOnHost(op, program.values),
    ),
  );
  return builder.finish(program.inputs, program.outputs);
}
