/** Prepares a program to be run again and again: kernels compiled, and for each step the values that die with it. */
import type { CollectiveName, Op, Program, ValueId } from '../program/index.js';
import { attributesOf, invalid, isCollective } from '../program/index.js';
import { reads } from '../program/passes/fuse.js';
import type { CompiledKernel, KernelFamily, KernelSpec } from './kernels/family.js';

interface StepBase {
  /** Values of this block that nothing after the step uses. */
  readonly dying: readonly ValueId[];
}

export interface KernelStep extends StepBase {
  readonly kind: 'kernel';
  readonly op: Op;
  readonly operands: readonly ValueId[];
  readonly results: readonly ValueId[];
  readonly kernel: CompiledKernel;
}

export interface CollectiveStep extends StepBase {
  readonly kind: 'collective';
  readonly op: Op<CollectiveName>;
}

export interface RepeatStep extends StepBase {
  readonly kind: 'repeat';
  readonly op: Op;
  readonly count: number;
  readonly carried: number;
  readonly reverse: boolean;
  readonly args: readonly ValueId[];
  readonly results: readonly ValueId[];
  /** Dying operands that only the region's arguments pass on: they can be let go before the first iteration. */
  readonly consumed: readonly ValueId[];
  readonly block: Block;
}

export type Step = KernelStep | CollectiveStep | RepeatStep;

export interface Block {
  readonly steps: readonly Step[];
  /** Everything that the block defines, its region's arguments included. */
  readonly owned: readonly ValueId[];
}

export interface CompiledProgram {
  readonly program: Program;
  readonly block: Block;
}

/** For each op, the block's own values whose last use it is; `live` are needed after the block. */
function dyingValues(ops: readonly Op[], owned: readonly ValueId[], live: readonly ValueId[]): ValueId[][] {
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

/**
 * @throws MeshwrightError DTYPE_UNSUPPORTED where the family lacks a type that a kernel uses, DEVICE_FAILED where it
 *   refuses a kernel, PROGRAM_INVALID on an op that can't be run
 */
export async function compileProgram(program: Program, family: KernelFamily): Promise<CompiledProgram> {
  const type: KernelSpec['type'] = (id) => program.values[id]!.type;

  async function compileKernel(op: Op, dying: readonly ValueId[]): Promise<KernelStep> {
    const ops = op.name === 'kernel' ? op.region!.ops : [op];
    const operands = [...new Set(op.operands)];
    const { results } = op;
    const kernel = await family.compile({ ops, operands, results, type });
    return { kind: 'kernel', op, operands, results, kernel, dying };
  }

  async function compileRepeat(op: Op, dying: readonly ValueId[]): Promise<RepeatStep> {
    const { region } = op;
    if (region === undefined) throw invalid(op.id, 'a region', 'none');
    const { args, results } = region;
    const block = await compileBlock(region.ops, args, results);
    const readInside = new Set([...region.ops.flatMap(reads), ...results]);
    const consumed = dying.filter((id) => op.operands.includes(id) && !readInside.has(id));
    return { kind: 'repeat', op, ...attributesOf(op, 'repeat'), args, results, consumed, block, dying };
  }

  async function compileBlock(ops: readonly Op[], args: readonly ValueId[], live: readonly ValueId[]): Promise<Block> {
    const owned = [...args, ...ops.flatMap((op) => op.results)];
    const dying = dyingValues(ops, owned, live);
    const steps: Step[] = [];
    for (const [index, op] of ops.entries()) {
      const last = dying[index]!;
      if (op.name === 'repeat') steps.push(await compileRepeat(op, last));
      else if (isCollective(op.name)) steps.push({ kind: 'collective', op: op as Op<CollectiveName>, dying: last });
      else steps.push(await compileKernel(op, last));
    }
    return { steps, owned };
  }

  const block = await compileBlock(
    program.ops,
    program.inputs.map(({ value }) => value),
    program.outputs.map(({ value }) => value),
  );
  return { program, block };
}
