/**
 * Which of a kernel's ops a stack computes together: each matmul with what its fusion takes of what comes after, each
 * attention, and what lies between them, a pass over memory at a time. Where reductions end a fusion, what reads a sum is
 * a pass later.
 */
import type { Stack } from '../../src/hardware/index.js';
import type { Op, Value, ValueId } from '../../src/program/index.js';
import type { AttentionGroup } from './attention.js';
import { attentionGroups } from './attention.js';
import { isBias, isPartOf, isView, isWidening } from './functions.js';
import { canFollow, isAccumulation, reductionOf } from './fusion-rules.js';

export interface Draft {
  readonly kind: 'matmul' | 'attention' | 'loose';
  readonly ops: Op[];
  /** Ops of later passes that first have to have a sum over their operands, which this one makes. */
  readonly sumsFor: Op[];
  readonly attention?: AttentionGroup;
}

export interface Made {
  readonly op: Op;
  /** Index of the draft. */
  readonly draft: number;
  /** Whether what is computed with it can read it element by element, as it is made. */
  readonly streams: boolean;
}

export interface Placement {
  readonly drafts: readonly Draft[];
  readonly made: ReadonlyMap<ValueId, Made>;
}

const draft = (kind: Draft['kind'], ops: Op[] = []): Draft => ({ kind, ops, sumsFor: [] });

/** @param kept what the kernel leaves for others */
export function placeOps(
  ops: readonly Op[],
  values: readonly Value[],
  { elementwise, epilogues, accumulation, reductions, attention, norms }: Stack,
  kept: ReadonlySet<ValueId>,
  isMatmul: (op: Op) => boolean,
): Placement {
  const groups = attention === 'fused' ? attentionGroups(ops, values, kept) : [];
  const groupOf = new Map(groups.flatMap((group) => group.ops.map((op) => [op, group] as const)));
  const drafts: Draft[] = [];
  const made = new Map<ValueId, Made>();
  /** The drafts since the last matmul or attention, which is the first of them, begin here. */
  let head: number | undefined;
  let firstLoose = 0;

  const make = (op: Op, index: number, streams: boolean): void =>
    op.results.forEach((id) => made.set(id, { op, draft: index, streams }));
  const begin = (one: Draft, streams: boolean): void => {
    head = drafts.push(one) - 1;
    firstLoose = drafts.length;
    for (const op of one.ops) make(op, head, streams);
  };
  const at = (index: number): Draft => {
    while (drafts.length <= index) drafts.push(draft('loose'));
    return drafts[index]!;
  };

  const follows = (op: Op, sums: boolean): boolean => {
    if (epilogues === 'separate' || head === undefined || drafts[head]!.kind !== 'matmul') return false;
    const product = drafts[head]!.ops[0]!.results[0]!;
    const inside = (id: ValueId): boolean => made.get(id)?.draft === head && made.get(id)!.streams;
    if (epilogues === 'bias' && !isBias(op, values)) return false;
    return canFollow(op, product, values, sums, inside) && op.operands.every((id) => earliestAfter(id) <= head!);
  };
  /** The matmul that makes the gradient which an op casts to the type of a sum, or adds to it. */
  const accumulatedBy = (op: Op): number | undefined => {
    if (accumulation === 'separate' || !isAccumulation(op, values)) return undefined;
    const sources = op.operands.flatMap((id) => made.get(id) ?? []);
    const [source] = sources;
    const isOnly = sources.length === 1 && source!.streams && drafts[source!.draft]!.kind === 'matmul';
    return isOnly ? source!.draft : undefined;
  };
  /** The first draft in which a value can be read. */
  const earliestAfter = (id: ValueId): number => {
    const found = made.get(id);
    return found === undefined ? 0 : found.draft + (found.streams ? 0 : 1);
  };

  /** As functions have it, who widens what they read themselves. */
  const earliestOf = (id: ValueId): number => {
    const found = made.get(id);
    if (found === undefined) return 0;
    return isWidening(found.op, values) ? earliestOf(found.op.operands[0]!) : found.draft;
  };
  /** The draft of the function that an op is a part of, or a new one after those of what it reads. */
  const functionOf = (op: Op): number => {
    let index = Math.max(firstLoose, ...op.operands.map(earliestOf));
    while (index < drafts.length && (isView(op) || !isPartOf(op, drafts[index]!.ops, values, norms))) index++;
    return index;
  };

  for (const op of ops) {
    const group = groupOf.get(op);
    if (group !== undefined) {
      // All of it where it begins.
      if (group.ops[0] === op) begin({ ...draft('attention', [...group.ops]), attention: group }, false);
    } else if (isMatmul(op)) {
      begin(draft('matmul', [op]), true);
    } else if (accumulatedBy(op) !== undefined) {
      const index = accumulatedBy(op)!;
      drafts[index]!.ops.push(op);
      make(op, index, true);
    } else if (elementwise === 'none') {
      make(op, drafts.push(draft('loose', [op])) - 1, false);
    } else if (elementwise === 'function') {
      const index = follows(op, false) ? head! : functionOf(op);
      at(index).ops.push(op);
      make(op, index, true);
    } else {
      const { before, last } = reductionOf(op, reductions);
      const loose = Math.max(firstLoose, ...op.operands.map(earliestAfter));
      const first = follows(op, before > 0 || last) ? head! : loose;
      for (let sum = 0; sum < before; sum++) at(first + sum).sumsFor.push(op);
      at(first + before).ops.push(op);
      make(op, first + before, !last);
    }
  }
  return { drafts, made };
}
