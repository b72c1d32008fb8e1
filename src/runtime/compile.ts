/** Prepares a program to be run again and again: kernels compiled, and for each step the values that die with it. */
import { coordinate } from '../mesh/index.js';
import type { CollectiveName, DType, MoveName, Op, Program, Region, ValueId } from '../program/index.js';
import { attributesOf, elementCount, IN_PLACE, invalid, isCollective, isHostMove, isMove } from '../program/index.js';
import { lastUses } from '../program/last-uses.js';
import { reads } from '../program/passes/fuse.js';
import type { CompiledKernel, KernelFamily, KernelSpec } from './kernels/family.js';
import type { Pace } from './pace.js';
import { firstPace } from './pace.js';

interface StepBase {
  /** Values of this block that nothing after the step uses. */
  readonly dying: readonly ValueId[];
}

export interface KernelStep extends StepBase {
  readonly kind: 'kernel';
  readonly op: Op;
  readonly operands: readonly ValueId[];
  /** Which of them nothing after it uses. */
  readonly last: readonly boolean[];
  readonly results: readonly KernelResult[];
  readonly kernel: CompiledKernel;
  readonly pace: Pace;
}

export interface KernelResult {
  readonly id: ValueId;
  readonly dtype: DType;
  readonly length: number;
  /** The operand whose memory it takes over where nobody else holds that: it dies here, and one op alone reads it. */
  readonly inPlaceOf: ValueId | undefined;
}

export interface CollectiveStep extends StepBase {
  readonly kind: 'collective';
  readonly op: Op<CollectiveName>;
  /** Whether several runs of it may be under way. */
  readonly isQueued: boolean;
}

export interface MoveStep extends StepBase {
  readonly kind: 'move';
  readonly op: Op<MoveName>;
}

/** `join_stacks` and `element`; and transfers to and from the host, in whose memory a rank's tensors lie anyway. */
export interface StackStep extends StepBase {
  readonly kind: 'stack';
  readonly op: Op;
}

interface RegionStep extends StepBase {
  readonly op: Op;
  readonly args: readonly ValueId[];
  readonly results: readonly ValueId[];
  /** Dying operands that only the region's arguments pass on: they can be let go before the region begins. */
  readonly consumed: readonly ValueId[];
  readonly block: Block;
}

export interface RepeatStep extends RegionStep {
  readonly kind: 'repeat';
  readonly count: number;
  readonly carried: number;
  readonly reverse: boolean;
  readonly first: number;
  readonly ahead: { readonly by: number; readonly block: Block } | undefined;
}

export interface ManualStep extends RegionStep {
  readonly kind: 'manual';
}

export type Step = KernelStep | CollectiveStep | MoveStep | StackStep | RepeatStep | ManualStep;

export interface Block {
  readonly steps: readonly Step[];
  /** Everything that the block defines, and its region's arguments. */
  readonly owned: readonly ValueId[];
}

export interface CompiledProgram {
  readonly program: Program;
  readonly block: Block;
}

/** For results of a kernel's ops, the one of `dying` operands that they may take over. */
function inPlace(ops: readonly Op[], dying: ReadonlySet<ValueId>): Map<ValueId, ValueId> {
  const uses = ops.flatMap((op) => op.operands);
  const found = new Map<ValueId, ValueId>();
  for (const op of ops) {
    for (const [result, operand] of IN_PLACE[op.name] ?? []) {
      const id = op.operands[operand]!;
      if (dying.has(id) && uses.filter((use) => use === id).length === 1) found.set(op.results[result]!, id);
    }
  }
  return found;
}

const resultsOf = (ops: readonly Op[]): ValueId[] => ops.flatMap((op) => op.results);

/**
 * @param rank whose kernels they are
 * @throws MeshwrightError DTYPE_UNSUPPORTED where the family lacks a type that a kernel uses, DEVICE_FAILED where it
 *   refuses a kernel, PROGRAM_INVALID on an op that can't be run
 */
export async function compileProgram(program: Program, family: KernelFamily, rank: number): Promise<CompiledProgram> {
  const type: KernelSpec['type'] = (id) => program.values[id]!.type;
  const along: KernelSpec['coordinate'] = (axis) => coordinate(program.mesh, rank, axis);

  async function compileKernel(op: Op, dying: readonly ValueId[]): Promise<KernelStep> {
    const ops = op.name === 'kernel' ? op.region!.ops : [op];
    const operands = [...new Set(op.operands)];
    const kernel = await family.compile({ ops, operands, results: op.results, type, coordinate: along });
    const takenOver = inPlace(ops, new Set(dying.filter((id) => operands.includes(id))));
    const results = op.results.map((id): KernelResult => {
      const { dtype, shape } = type(id);
      return { id, dtype, length: elementCount(shape), inPlaceOf: takenOver.get(id) };
    });
    const pace = firstPace(program, ops, family.name);
    const last = operands.map((id) => dying.includes(id));
    return { kind: 'kernel', op, operands, last, results, kernel, pace, dying };
  }

  /** @param args those that the ops in `ahead` leave for the others */
  async function compileRegion(op: Op, region: Region, args: readonly ValueId[], dying: readonly ValueId[]) {
    const readInside = new Set([...reads({ ...op, operands: [] })]);
    return {
      op,
      args: region.args,
      results: region.results,
      consumed: dying.filter((id) => op.operands.includes(id) && !readInside.has(id)),
      block: await compileBlock(region.ops, args, region.results),
      dying,
    };
  }

  async function compileRepeat(op: Op, region: Region, dying: readonly ValueId[]): Promise<RepeatStep> {
    const { first = 0, ...attributes } = attributesOf(op, 'repeat');
    const { args, ahead } = region;
    const early = resultsOf(ahead?.ops ?? []);
    const base = await compileRegion(op, region, [...args, ...early], dying);
    const needed = new Set([...region.ops.flatMap(reads), ...region.results]);
    const elements = args.slice(attributes.carried);
    const block =
      ahead &&
      (await compileBlock(
        ahead.ops,
        elements,
        [...elements, ...early].filter((id) => needed.has(id)),
        true,
      ));
    return { ...base, kind: 'repeat', ...attributes, first, ahead: ahead && { by: ahead.by, block: block! } };
  }

  async function compileStep(op: Op, dying: readonly ValueId[], isAhead: boolean): Promise<Step> {
    const { region } = op;
    if (op.name === 'join_stacks' || op.name === 'element' || isHostMove(op.name)) return { kind: 'stack', op, dying };
    if (isCollective(op.name)) {
      const isQueued = isAhead || op.queued === true;
      return { kind: 'collective', op: op as Op<CollectiveName>, isQueued, dying };
    }
    if (isMove(op.name)) return { kind: 'move', op: op as Op<MoveName>, dying };
    if (op.name !== 'repeat' && op.name !== 'manual') return compileKernel(op, dying);
    if (region === undefined) throw invalid(op.id, 'a region', 'none');
    if (op.name === 'repeat') return compileRepeat(op, region, dying);
    return { kind: 'manual', ...(await compileRegion(op, region, region.args, dying)) };
  }

  async function compileBlock(
    ops: readonly Op[],
    args: readonly ValueId[],
    live: readonly ValueId[],
    isAhead = false,
  ): Promise<Block> {
    const owned = [...args, ...resultsOf(ops)];
    const dying = lastUses(ops, owned, live);
    const steps: Step[] = [];
    for (const [index, op] of ops.entries()) steps.push(await compileStep(op, dying[index]!, isAhead));
    return { steps, owned };
  }

  const block = await compileBlock(
    program.ops,
    program.inputs.map(({ value }) => value),
    program.outputs.map(({ value }) => value),
  );
  return { program, block };
}
