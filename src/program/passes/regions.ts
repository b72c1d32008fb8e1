/** Copies of ops, and edits of a repeat's region that keep the rest of the program as it is. */
import type { Builder } from '../builder.js';
import { attributesOf } from '../builder.js';
import { invalid, isCompute } from '../ops/index.js';
import type { Op, Region, ValueId } from '../types.js';
import { unstacked } from '../types.js';

/**
 * The ops again, with values and ids of their own.
 *
 * @param seen which values stand for which; those that the ops define are added
 * @param rename gives a copy's id; ids stay unique
 */
export function cloneOps(
  builder: Builder,
  ops: readonly Op[],
  seen: Map<ValueId, ValueId>,
  rename: (id: string) => string,
): Op[] {
  const use = (id: ValueId): ValueId => seen.get(id) ?? id;
  const define = (id: ValueId): ValueId => {
    const copy = builder.copyOf(id);
    seen.set(id, copy);
    return copy;
  };
  const cloneRegion = ({ args, ahead, ops: inner, results }: Region): Region => {
    const region = {
      args: args.map(define),
      ...(ahead === undefined ? {} : { ahead: { by: ahead.by, ops: cloneOps(builder, ahead.ops, seen, rename) } }),
      ops: cloneOps(builder, inner, seen, rename),
    };
    return { ...region, results: results.map(use) };
  };
  return ops.map((op) => {
    const operands = op.operands.map(use);
    const region = op.region && cloneRegion(op.region);
    const results = op.results.map(define);
    return { ...op, id: builder.uniqueId(rename(op.id)), operands, results, ...(region ? { region } : {}) };
  });
}

/**
 * Ops that compute with what others of a region make, each right after the last of those, so that a kernel can do it to
 * what it is about to write; collectives, and what waits for them, at the end.
 */
function joinOps(ops: readonly Op[], added: readonly Op[]): Op[] {
  const joined = [...ops];
  const atEnd = new Set<ValueId>();
  for (const op of added) {
    if (!isCompute(op.name) || op.operands.some((id) => atEnd.has(id))) {
      op.results.forEach((id) => atEnd.add(id));
      joined.push(op);
      continue;
    }
    const reads = new Set(op.operands);
    joined.splice(joined.findLastIndex(({ results }) => results.some((id) => reads.has(id))) + 1, 0, op);
  }
  return joined;
}

/** What a repeat gives is changed by ops in its region. */
export interface Extension {
  /** Results of the repeat, by value. */
  readonly of: readonly ValueId[];
  /** Stacks whose elements the ops read too. */
  readonly stacks?: readonly ValueId[];
  /**
   * Emits the ops.
   *
   * @param made the region's values of the results
   * @param elements one of each stack
   * @returns what takes the place of `made`
   */
  build(made: readonly ValueId[], elements: readonly ValueId[]): readonly ValueId[];
}

/** @returns the repeat with the ops in its region, and its new results in the place of `of` */
function extendRepeat(builder: Builder, op: Op, { of, stacks = [], build }: Extension): { op: Op; results: ValueId[] } {
  const { region } = op;
  if (op.name !== 'repeat' || region === undefined) throw invalid(op.id, 'a repeat that stacks its results', op.name);
  const { carried, count } = attributesOf(op, 'repeat');
  const positions = of.map((id) => op.results.indexOf(id));
  if (positions.some((position) => position < carried)) throw invalid(op.id, 'stacked results', 'others');
  const elements = stacks.map((id) => builder.value(unstacked(builder.type(id)), builder.role(id)));
  const { ops, result } = builder.block(() =>
    build(
      positions.map((position) => region.results[position]!),
      elements,
    ),
  );
  const inner = [...region.results];
  const outer = [...op.results];
  const results = result.map((id, index) => {
    const old = of[index]!;
    const value = builder.value({ ...unstacked(builder.type(id)), stack: count }, builder.role(old));
    builder.assignRole(id, builder.role(old));
    inner[positions[index]!] = id;
    outer[positions[index]!] = value;
    return value;
  });
  const extended: Op = {
    ...op,
    operands: [...op.operands, ...stacks],
    results: outer,
    region: { ...region, args: [...region.args, ...elements], ops: joinOps(region.ops, ops), results: inner },
  };
  return { op: extended, results };
}

/**
 * Changes stacked values where they are made: each is the result of a repeat among `ops`, or joined from results of
 * several. Values made by one repeat are changed together.
 *
 * @param stacks of the length of the whole value, one for each value, whose elements `build` reads too
 * @param build see `Extension.build`; `values` are the positions among `values` that it is called for
 * @returns the ops, and the values in the place of `values`
 */
export function changeStacks(
  builder: Builder,
  ops: readonly Op[],
  values: readonly ValueId[],
  stacks: readonly ValueId[],
  build: (made: readonly ValueId[], elements: readonly ValueId[], positions: readonly number[]) => readonly ValueId[],
): { ops: Op[]; values: ValueId[] } {
  const replaced = new Map<ValueId, ValueId>();
  const wanted = new Map<ValueId, number>();
  const joins = new Map(ops.flatMap((op) => (op.name === 'join_stacks' ? [[op.results[0]!, op] as const] : [])));
  values.forEach((value, index) => {
    for (const piece of joins.get(value)?.operands ?? [value]) wanted.set(piece, index);
  });
  const changed = ops.map((op) => {
    if (op.name === 'join_stacks' && op.operands.some((id) => replaced.has(id))) {
      const operands = op.operands.map((id) => replaced.get(id) ?? id);
      const [old] = op.results as [ValueId];
      const value = builder.value(
        { ...builder.type(operands[0]!), stack: builder.type(old).stack! },
        builder.role(old),
      );
      replaced.set(old, value);
      return { ...op, operands, results: [value] };
    }
    const of = op.results.filter((id) => wanted.has(id));
    if (of.length === 0) return op;
    const positions = of.map((id) => wanted.get(id)!);
    const result = extendRepeat(builder, op, {
      of,
      stacks: stacks.length === 0 ? [] : positions.map((index) => stacks[index]!),
      build: (made, elements) => build(made, elements, positions),
    });
    of.forEach((id, index) => replaced.set(id, result.results[index]!));
    return result.op;
  });
  return {
    ops: changed,
    values: values.map((value) => {
      const found = replaced.get(value);
      if (found === undefined) throw invalid('change-stacks', 'stacks made by repeats of the block', `%${value}`);
      return found;
    }),
  };
}

/** The ops with other values in the place of those that they read. */
export function substitute(ops: readonly Op[], renamed: ReadonlyMap<ValueId, ValueId>): Op[] {
  if (renamed.size === 0) return [...ops];
  const use = (id: ValueId): ValueId => renamed.get(id) ?? id;
  return ops.map((op): Op => {
    const operands = op.operands.map(use);
    const { region } = op;
    if (region === undefined) return { ...op, operands };
    const inner = {
      ...region,
      ...(region.ahead === undefined ? {} : { ahead: { ...region.ahead, ops: substitute(region.ahead.ops, renamed) } }),
      ops: substitute(region.ops, renamed),
      results: region.results.map(use),
    };
    return { ...op, operands, region: inner };
  });
}
