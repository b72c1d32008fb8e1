/** What a stack launches of a kernel's ops, one by one: matmuls, attention, and single ops or clusters of others. */
import type { Stack } from '../../src/hardware/index.js';
import { MeshwrightError } from '../../src/errors.js';
import type { ComputeName, MatmulWork, Op, Value, ValueId, Work } from '../../src/program/index.js';
import { isCompute, recordOf, typeBytes } from '../../src/program/index.js';
import type { AttentionGroup } from './attention.js';
import { attentionGroups } from './attention.js';

export interface MatmulPart {
  readonly op: Op;
  readonly work: MatmulWork;
}

export interface Piece {
  readonly ops: readonly Op[];
  readonly matmuls: readonly MatmulPart[];
  readonly vectorFlops: number;
  readonly attention?: AttentionGroup;
}

export function workOf(op: Op, values: readonly Value[]): Work {
  if (!isCompute(op.name)) {
    throw new MeshwrightError('INTERNAL', { place: op.id, expected: 'a compute op in a kernel', got: op.name });
  }
  const type = (id: ValueId) => values[id]!.type;
  return recordOf<ComputeName>(op.name).work(op.operands.map(type), op.results.map(type), op.attributes as never);
}

/** Ops that work on each element alone, so that the matmul before them can do it to what it is about to write. */
const ELEMENTWISE: ReadonlySet<string> = new Set<ComputeName>([
  'add',
  'cast',
  'gelu',
  'gelu_backward',
  'multiply',
  'scale',
  'silu',
  'silu_backward',
]);

const elements = (id: ValueId, values: readonly Value[]): number =>
  values[id]!.type.shape.reduce((product, size) => product * size, 1);

/** Whether `op` does something to each element of what `piece`, a matmul and what follows it, makes. */
function continues(piece: readonly Op[], op: Op, values: readonly Value[]): boolean {
  const product = piece[0]!.results[0]!;
  return (
    ELEMENTWISE.has(op.name) &&
    op.operands.some((id) => piece.some(({ results }) => results.includes(id))) &&
    elements(op.results[0]!, values) === elements(product, values)
  );
}

/** Trailing casts to a wider type, which are left to whoever reads the narrow result. */
function widening(ops: Op[], values: readonly Value[]): Op[] {
  const left: Op[] = [];
  for (let last = ops.at(-1)!; ops.length > 1 && last.name === 'cast'; last = ops.at(-1)!) {
    if (typeBytes(values[last.results[0]!]!.type) <= typeBytes(values[last.operands[0]!]!.type)) break;
    left.unshift(ops.pop()!);
  }
  return left;
}

interface Run {
  readonly ops: Op[];
  readonly kind: 'matmul' | 'cluster' | 'single' | AttentionGroup;
}

function pieceOf(ops: readonly Op[], values: readonly Value[], attention?: AttentionGroup): Piece {
  const matmuls: MatmulPart[] = [];
  let vectorFlops = 0;
  for (const op of ops) {
    const work = workOf(op, values);
    vectorFlops += work.vectorFlops;
    if (work.matmul !== undefined) matmuls.push({ op, work: work.matmul });
  }
  return { ops, matmuls, vectorFlops, ...(attention === undefined ? {} : { attention }) };
}

/** @param kept what the kernel leaves for others */
export function piecesOf(
  ops: readonly Op[],
  values: readonly Value[],
  { elementwise, epilogues, attention }: Stack,
  kept: ReadonlySet<ValueId>,
): Piece[] {
  const groups = attention === 'fused' ? attentionGroups(ops, values, kept) : [];
  const groupOf = new Map(groups.flatMap((group) => group.ops.map((op) => [op, group] as const)));
  const runs: Run[] = [];
  const rest = elementwise === 'cluster' ? 'cluster' : 'single';
  for (const op of ops) {
    const group = groupOf.get(op);
    if (group !== undefined) {
      // All of it where it begins.
      if (group.ops[0] === op) runs.push({ ops: [...group.ops], kind: group });
      continue;
    }
    const last = runs.at(-1);
    const isMatmul = workOf(op, values).matmul !== undefined;
    if (isMatmul) runs.push({ ops: [op], kind: 'matmul' });
    else if (last?.kind === 'cluster') last.ops.push(op);
    else if (last?.kind === 'matmul' && epilogues === 'fused' && continues(last.ops, op, values)) last.ops.push(op);
    else {
      const wide = last?.kind === 'matmul' ? widening(last.ops, values) : [];
      if (rest === 'cluster') runs.push({ ops: [...wide, op], kind: rest });
      else for (const single of [...wide, op]) runs.push({ ops: [single], kind: rest });
    }
  }
  return runs.map(({ ops: run, kind }) => pieceOf(run, values, typeof kind === 'object' ? kind : undefined));
}
