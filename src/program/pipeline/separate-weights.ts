/**
 * Splits a backward pass into what the stage before waits for, the cotangents along the stream, and the rest: the
 * gradients of weights (Qi et al. 2024, "Zero Bubble Pipeline Parallelism"). A backward repeat of layers becomes two.
 */
import type { Builder } from '../builder.js';
import { attributesOf } from '../builder.js';
import type { Keeping } from '../passes/keeping.js';
import type { Op, ValueId } from '../types.js';
import { makersOf, opsFor } from './needed.js';
import { moveLater } from './move.js';
import { reads } from '../passes/fuse.js';

/** A repeat's carried results alone, and a second repeat for what they do not need; what it reads of the first is stacked. */
function separateRepeat(builder: Builder, op: Op, keeping: Keeping): Op[] {
  const { count, carried, reverse, first: firstElement } = attributesOf(op, 'repeat');
  const region = op.region!;
  const early = opsFor(region.ops, region.results.slice(0, carried));
  const late = region.ops.filter((inner) => !early.has(inner));
  const lateMade = makersOf(late);
  const isLate = (position: number): boolean => lateMade.has(region.results[position]!);
  const positions = op.results.map((_, position) => position);
  if (carried === 0 || !positions.some(isLate)) return [op];

  const elements = new Map(region.args.map((id, index) => [id, index] as const).slice(carried));
  const args: ValueId[] = [];
  const operands: ValueId[] = [];
  const kept: { readonly inner: ValueId; readonly stack: ValueId }[] = [];
  const enter = (inner: ValueId, stack: ValueId): ValueId => {
    args.push(builder.copyOf(inner));
    operands.push(stack);
    return args.at(-1)!;
  };
  const moved = moveLater(builder, late, {
    makers: makersOf([...early]),
    isShared: (id) => elements.has(id),
    keeping,
    keep: (inner) => {
      const index = elements.get(inner);
      if (index !== undefined) return enter(inner, op.operands[index]!);
      const position = region.results.indexOf(inner, carried);
      if (position >= 0) return enter(inner, op.results[position]!);
      const stack = builder.value({ ...builder.type(inner), stack: count }, builder.role(inner));
      kept.push({ inner, stack });
      return enter(inner, stack);
    },
  });

  const earlyPositions = positions.filter((position) => !isLate(position));
  const earlyOps = region.ops.filter((inner) => early.has(inner));
  const earlyResults = [
    ...earlyPositions.map((position) => region.results[position]!),
    ...kept.map(({ inner }) => inner),
  ];
  const used = new Set([...earlyOps.flatMap(reads), ...earlyResults]);
  const isUsed = (index: number): boolean => index < carried || used.has(region.args[index]!);
  const latePositions = positions.filter(isLate);
  const place = firstElement === undefined ? {} : { first: firstElement };
  return [
    {
      ...op,
      operands: op.operands.filter((_, index) => isUsed(index)),
      results: [...earlyPositions.map((position) => op.results[position]!), ...kept.map(({ stack }) => stack)],
      region: {
        ...region,
        args: region.args.filter((_, index) => isUsed(index)),
        ops: earlyOps,
        results: earlyResults,
      },
    },
    {
      name: 'repeat',
      id: builder.uniqueId(`${op.id}-weight`),
      phase: op.phase,
      operands,
      results: latePositions.map((position) => op.results[position]!),
      attributes: { count, carried: 0, reverse, ...place },
      region: { args, ops: moved, results: latePositions.map((position) => region.results[position]!) },
    },
  ];
}

/**
 * @param ops of a stage's backward pass
 * @param roots what cannot wait: what is sent
 * @returns the ops, in an order in which both parts may run, and which of them are the first part
 */
export function separateWeights(
  builder: Builder,
  ops: readonly Op[],
  roots: readonly ValueId[],
  keeping: Keeping,
): { readonly ops: readonly Op[]; readonly early: ReadonlySet<Op> } {
  const separated = ops.flatMap((op) => (op.name === 'repeat' ? separateRepeat(builder, op, keeping) : [op]));
  // In the first stage nothing is sent: there the cotangents that go through the layers are what comes first.
  const along = separated.flatMap((op) =>
    op.name === 'repeat' ? op.results.slice(0, attributesOf(op, 'repeat').carried) : [],
  );
  return { ops: separated, early: opsFor(separated, [...roots, ...along]) };
}
