/**
 * Asynchronous parallel linear operations (Dehghani et al. 2023, §3, figure 3): where a gather feeds matrix products, or
 * a product feeds a reduce-scatter, the collective becomes a ring of neighbour transfers that run beside the products of
 * the parts. Forward and backward alike, since the pass works on the differentiated program; the model has chosen for
 * each linear which side travels.
 */
import { Builder, attributesOf } from '../../builder.js';
import type { Op, Program, ValueId } from '../../types.js';
import { reads } from '../fuse.js';
import type { Product } from './labels.js';
import { isProduct } from './labels.js';
import type { Consumer } from './ring.js';
import { gatherRing, scatterRing } from './ring.js';

/**
 * `bidirectional` rings send both ways at once, in half as many steps. With `ring-bulk` weight gradients are not cut: what
 * only they need is gathered beside the input gradient's product, and input gradients are scattered beside theirs, as
 * Transformer Engine does (its `ring_exchange` and `bulk` overlaps).
 */
export const LINEAR_MODES = ['synchronous', 'ring', 'bidirectional', 'ring-bulk'] as const;
export type LinearMode = (typeof LINEAR_MODES)[number];

/** The axis that linears are split over. */
const AXIS = 'model';

interface Uses {
  /** The ops of the block that read a value. */
  readonly readers: ReadonlyMap<ValueId, readonly Op[]>;
  /** What is needed after the block. */
  readonly live: ReadonlySet<ValueId>;
}

function usesIn(ops: readonly Op[], live: readonly ValueId[]): Uses {
  const readers = new Map<ValueId, Op[]>();
  for (const op of ops) for (const id of new Set(reads(op))) readers.set(id, [...(readers.get(id) ?? []), op]);
  return { readers, live: new Set(live) };
}

function asConsumer(op: Op, value: ValueId): Consumer | undefined {
  if (!isProduct(op) || op.operands.filter((id) => id === value).length !== 1) return undefined;
  const travelling = op.operands.indexOf(value);
  return travelling > 1 ? undefined : { op, travelling: travelling as 0 | 1 };
}

const isLinearGather = (op: Op): op is Op<'all_gather'> =>
  op.name === 'all_gather' &&
  op.asynchronous !== true &&
  op.operands.length === 1 &&
  attributesOf(op, 'all_gather').axis === AXIS;

const isLinearScatter = (op: Op): op is Op<'reduce_scatter'> =>
  op.name === 'reduce_scatter' &&
  op.asynchronous !== true &&
  op.operands.length === 1 &&
  attributesOf(op, 'reduce_scatter').axis === AXIS;

/**
 * The products that a gather feeds and that can stand where the last of them does: up to the first op that reads the
 * result of one of them. Whatever else reads the gathered value comes after them, or there are none.
 */
function consumersOf(gather: Op, ops: readonly Op[], { readers }: Uses, bulk: boolean): Consumer[] {
  const [value] = gather.results as [ValueId];
  const found: Consumer[] = [];
  let end = Infinity;
  // Readers are in the order of the block.
  for (const op of readers.get(value) ?? []) {
    const consumer = asConsumer(op, value);
    if (consumer === undefined || ops.indexOf(op) >= end || (bulk && isWeightGradient(op))) break;
    found.push(consumer);
    end = Math.min(end, ...(readers.get(op.results[0]!) ?? []).map((reader) => ops.indexOf(reader)));
  }
  return found;
}

/** The products whose sum a value is, and all ops that make it; nothing where it is made otherwise or read elsewhere. */
function productsOf(
  value: ValueId,
  makers: ReadonlyMap<ValueId, Op>,
  { readers, live }: Uses,
): { products: Product[]; makers: Op[] } | undefined {
  const op = makers.get(value);
  if (op === undefined || live.has(value) || readers.get(value)!.length !== 1) return undefined;
  if (isProduct(op)) return op.operands.length === 2 ? { products: [op], makers: [op] } : undefined;
  const [a, b] = op.operands;
  if (op.name !== 'add' || a === b) return undefined;
  const [left, right] = [a, b].map((id) => productsOf(id!, makers, { readers, live }));
  if (left === undefined || right === undefined) return undefined;
  return { products: [...left.products, ...right.products], makers: [...left.makers, ...right.makers, op] };
}

/** Of an input gradient: what a layer makes again goes as it went before. */
const dealsOutGradient = ({ phase, id }: Op): boolean => phase === 'backward' && !id.includes('#again');

const isWeightGradient = ({ name }: Op): boolean => name === 'matmul_weight_gradient';

/**
 * Whole collectives beside whole products: gathers that weight gradients alone read start before the product that comes
 * before, scatters of the backward pass as soon as there is what they deal out; neither is waited for before it is read.
 */
function overlapWhole(ops: readonly Op[], { readers, live }: Uses): Op[] {
  const placed: Op[] = [];
  const insert = (op: Op, at: number): void => {
    placed.splice(at, 0, { ...op, asynchronous: true });
  };
  const afterOperands = (op: Op): number => {
    const needs = new Set(reads(op));
    return placed.findLastIndex(({ results }) => results.some((id) => needs.has(id))) + 1;
  };
  for (const op of ops) {
    const [value] = op.results;
    const ofWeights = (): boolean => !live.has(value!) && readers.get(value!)?.every(isWeightGradient) === true;
    if (isLinearGather(op) && ofWeights()) {
      const before = placed.findLastIndex((one) => isProduct(one) && !isWeightGradient(one));
      insert(op, Math.max(afterOperands(op), before));
    } else if (isLinearScatter(op) && dealsOutGradient(op)) insert(op, afterOperands(op));
    else placed.push(op);
  }
  return placed;
}

function overlapBlock(builder: Builder, block: readonly Op[], live: readonly ValueId[], mode: LinearMode): Op[] {
  const both = mode === 'bidirectional';
  const bulk = mode === 'ring-bulk';
  const ops = block.map((op): Op => {
    const { region } = op;
    if (region === undefined || op.name !== 'repeat') return op;
    return { ...op, region: { ...region, ops: overlapBlock(builder, region.ops, region.results, mode) } };
  });
  const uses = usesIn(ops, live);
  const replaced = new Map<Op, Op>();
  const removed = new Set<Op>();
  for (const gather of ops.filter(isLinearGather)) {
    const [value] = gather.results as [ValueId];
    const consumers = consumersOf(gather, ops, uses, bulk);
    if (consumers.length === 0 || consumers.some(({ op }) => removed.has(op))) continue;
    const collects = uses.live.has(value) || uses.readers.get(value)!.length > consumers.length;
    [gather, ...consumers.map(({ op }) => op)].forEach((op) => removed.add(op));
    replaced.set(consumers.at(-1)!.op, gatherRing(builder, gather, consumers, collects, both));
  }
  const makers = new Map(ops.flatMap((op) => op.results.map((id) => [id, op] as const)));
  for (const scatter of ops.filter(isLinearScatter)) {
    if (bulk && dealsOutGradient(scatter)) continue;
    const found = productsOf(scatter.operands[0]!, makers, uses);
    if (found === undefined || found.makers.some((op) => removed.has(op))) continue;
    [...found.makers, scatter].forEach((op) => removed.add(op));
    replaced.set(scatter, scatterRing(builder, found.products, scatter, both));
  }
  const ringed = ops.flatMap((op) => replaced.get(op) ?? (removed.has(op) ? [] : [op]));
  return bulk ? overlapWhole(ringed, uses) : ringed;
}

export function overlapLinears(program: Program, mode: LinearMode): Program {
  if (mode === 'synchronous') return program;
  const builder = Builder.from(program);
  builder.reserve(program.ops);
  const live = program.outputs.map(({ value }) => value);
  const ops = overlapBlock(builder, program.ops, live, mode);
  return { ...builder.finish(program.inputs, program.outputs), ops };
}
