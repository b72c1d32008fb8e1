/** A program made ready to be walked: what each kernel and collective costs, worked out once. */
import type { Stack } from '../src/hardware/index.js';
import type { AxisName } from '../src/mesh/index.js';
import { axisSize } from '../src/mesh/index.js';
import type { Attributes, CollectiveName, Op, Program, Region, ValueId } from '../src/program/index.js';
import {
  LAST_MICROBATCH,
  MICROBATCHES,
  attributesOf,
  isCollective,
  isCompute,
  regionOps,
  typeBytes,
} from '../src/program/index.js';
import type { Seconds } from '../src/units.js';
import { bytes, flops, seconds } from '../src/units.js';
import type { ComputeChip, KernelCost, Load, ProgramKernels } from './cost/index.js';
import { collectiveLoad, kernelsOf } from './cost/index.js';
import type { Ticks } from './engine/index.js';
import { addTicks, ticks, toSeconds, toTicks } from './engine/index.js';
import type { Machine } from './machine/index.js';
import type { CollectiveSchedule, Network, NetworkOptions, Sharing, TimedRound } from './network/index.js';
import { chipTraffic, createNetwork, startingAfter, timeAlone, timeChannels } from './network/index.js';
import type { StepWaits } from './waits.js';
import { waitsIn } from './waits.js';

/** Where a kernel's time goes, where nothing is beside it. */
export const KERNEL_CATEGORIES = ['matmul', 'memory', 'vector', 'overhead'] as const;
export type KernelCategory = (typeof KERNEL_CATEGORIES)[number];
/**
 * Where a chip's compute time goes. `contention`: what collectives beside kernels add to them; `variation`: what a slow
 * chip and jitter do, which may be less than nothing.
 */
export type ComputeCategory = KernelCategory | 'contention' | 'variation';

export interface KernelStep {
  readonly kind: 'kernel';
  readonly op: Op;
  /** What it waits for, where that is pending. */
  readonly reads: readonly ValueId[];
  readonly cost: KernelCost;
  readonly duration: Ticks;
  /** What a host that launches op by op needs for it. */
  readonly hostDuration: Ticks;
  /**
   * The chip begins it no earlier than this after the host has come to it: all waiting for the host put in front, so that
   * the end is exact.
   */
  readonly hostDelay: Ticks;
  /** Whether the host comes to it no earlier than the chip has done all that came before. */
  readonly hostWaits?: boolean;
  readonly byCategory: Readonly<Record<KernelCategory, number>>;
  /** How often the step runs it. */
  readonly times: number;
}

export interface CollectiveStep {
  readonly kind: 'collective';
  readonly op: Op;
  readonly name: CollectiveName;
  readonly axis: AxisName;
  readonly reads: readonly ValueId[];
  /** Whether what comes after it goes on meanwhile. */
  readonly asynchronous: boolean;
  /** Whether a second run waits, when it is issued, until the first is done. */
  readonly single: boolean;
  /** What a host that launches op by op needs for it, which it is not issued before. */
  readonly hostDuration: Ticks;
  /** Where nothing else is on its links. */
  readonly duration: Ticks;
  readonly schedule: CollectiveSchedule;
  /** Of the schedule, those that take any step. */
  readonly channels: readonly (readonly TimedRound[])[];
  /** What it takes of its chip meanwhile. */
  readonly load: Load;
  /** What a chip sends, as its algorithm does it. */
  readonly sentBytes: number;
  readonly times: number;
  /** Its place in `Plan.collectives`. */
  readonly index: number;
}

/** `take` and `put`: no time, but they read. */
export interface MoveStep {
  readonly kind: 'move';
  readonly reads: readonly ValueId[];
}

export interface JoinStep {
  readonly kind: 'join';
  readonly operands: readonly ValueId[];
  readonly result: ValueId;
  /** How many elements each operand has. */
  readonly lengths: readonly number[];
}

export interface ElementStep {
  readonly kind: 'element';
  readonly stack: ValueId;
  readonly index: number;
  readonly result: ValueId;
}

export interface ManualStep {
  readonly kind: 'manual';
  readonly operands: readonly ValueId[];
  readonly args: readonly ValueId[];
  readonly steps: readonly Step[];
  readonly yields: readonly ValueId[];
  readonly results: readonly ValueId[];
}

export interface RepeatStep {
  readonly kind: 'repeat';
  readonly count: number;
  readonly carried: number;
  readonly reverse: boolean;
  /** Where in longer stacks the iterations begin: they are numbered from it. */
  readonly first: number;
  /** Of each stacked operand: where its elements begin. */
  readonly firsts: readonly number[];
  readonly operands: readonly ValueId[];
  readonly args: readonly ValueId[];
  readonly ahead?: { readonly by: number; readonly steps: readonly Step[]; readonly results: readonly ValueId[] };
  readonly steps: readonly Step[];
  readonly yields: readonly ValueId[];
  readonly results: readonly ValueId[];
  /** What the region reads from around it. */
  readonly captured: readonly ValueId[];
  /** Indices of the collectives inside, at any depth. */
  readonly collectives: readonly number[];
}

export type Step = KernelStep | CollectiveStep | MoveStep | JoinStep | ElementStep | ManualStep | RepeatStep;

/** Algorithms that were asked for, instead of the fastest. */
export type CollectiveChoice = Omit<NetworkOptions, 'offered'>;

export interface Plan {
  readonly program: Program;
  readonly steps: readonly Step[];
  readonly kernels: readonly KernelStep[];
  readonly collectives: readonly CollectiveStep[];
  readonly chip: ComputeChip;
  readonly stack: Stack;
  /** What patterns that are on the links at the same time get of them. */
  readonly sharing: Sharing;
  readonly hostDuration: Ticks;
  /** Values that the chip waits for at the end, while other collectives may go on: what others wait for. */
  readonly awaited: readonly ValueId[];
}

/** The duration is rounded once; the parts are rounded where they end, so that they add up to it. */
function kernelTicks(cost: KernelCost): Pick<KernelStep, 'duration' | 'hostDuration' | 'hostDelay' | 'byCategory'> {
  const parts = [cost.matmulSeconds, cost.memorySeconds, cost.vectorSeconds, cost.overheadSeconds];
  const byCategory = { matmul: 0, memory: 0, vector: 0, overhead: 0 };
  let elapsed = 0;
  let before = 0;
  KERNEL_CATEGORIES.forEach((category, index) => {
    elapsed += parts[index]!;
    const end = Math.round(elapsed * 1e10);
    byCategory[category] = end - before;
    before = end;
  });
  const hostDuration = toTicks(cost.hostSeconds);
  const hostDelay = ticks(hostDuration === 0 ? 0 : Math.max(0, toTicks(cost.hostPathSeconds) - before));
  return { duration: ticks(before), hostDuration, hostDelay, byCategory };
}

const NO_COST: KernelCost = {
  matmulSeconds: seconds(0),
  memorySeconds: seconds(0),
  vectorSeconds: seconds(0),
  overheadSeconds: seconds(0),
  seconds: seconds(0),
  byWork: {},
  matmulFlops: flops(0),
  paddedMatmulFlops: flops(0),
  vectorFlops: flops(0),
  memoryBytes: bytes(0),
  pieces: 0,
  hostSeconds: seconds(0),
  hostPathSeconds: seconds(0),
};

/** What a step takes beside its programs. */
export const hostTicksPerStep = ({ hostOverheadPerStep, hostOverheadPerRank }: Stack, ranks: number): Ticks =>
  toTicks(seconds(hostOverheadPerStep + (ranks - 1) * hostOverheadPerRank));

/** What lies between a program's kernels and collectives, all together. */
export const hostTicksOfSpans = ({
  kernels,
  collectives,
  stack,
}: Pick<Plan, 'kernels' | 'collectives' | 'stack'>): Ticks =>
  toTicks(seconds(stack.hostTimePerSpan * [...kernels, ...collectives].reduce((sum, { times }) => sum + times, 0)));

/** What a host does before a microbatch, as a kernel of nothing. */
function microbatchStep(overhead: Seconds, times: number): KernelStep[] {
  const hostDuration = toTicks(overhead);
  if (hostDuration === 0) return [];
  const none = { operands: [], results: [] };
  const op: Op = {
    name: 'kernel',
    id: 'microbatch',
    phase: 'forward',
    ...none,
    attributes: {},
    region: { args: [], ops: [], results: [] },
  };
  const byCategory = { matmul: 0, memory: 0, vector: 0, overhead: 0 };
  const cost = { ...NO_COST, hostSeconds: overhead, hostPathSeconds: overhead };
  const taken = { duration: ticks(0), hostDuration, hostDelay: hostDuration, hostWaits: true };
  return [{ kind: 'kernel', op, reads: [], cost, ...taken, byCategory, times }];
}

class Planner {
  readonly kernels: KernelStep[] = [];
  readonly collectives: CollectiveStep[] = [];
  readonly network: Network;
  readonly #program: Program;
  readonly #machine: Machine;
  readonly #stack: Stack;
  readonly #kernels: ProgramKernels;
  readonly #waits: StepWaits | undefined;

  constructor(program: Program, machine: Machine, stack: Stack, asked: CollectiveChoice, waits?: StepWaits) {
    this.#program = program;
    this.#waits = waits;
    this.#machine = machine;
    this.#stack = stack;
    this.#kernels = kernelsOf(program, stack);
    this.network = createNetwork(machine, {
      ...asked,
      ...(stack.collectives === undefined ? {} : { offered: stack.collectives }),
    });
  }

  block(ops: readonly Op[], times: number, early = false): Step[] {
    return ops.map((op) => this.#step(op, times, early));
  }

  #step(op: Op, times: number, early: boolean): Step {
    const { operands, results } = op;
    if (isCollective(op.name)) return this.#collective(op, op.name, times, early);
    if (op.name === 'kernel' || isCompute(op.name)) {
      const cost = this.#kernels.cost(op, this.#machine);
      const step: KernelStep = { kind: 'kernel', op, reads: operands, cost, ...kernelTicks(cost), times };
      this.kernels.push(step);
      return step;
    }
    if (op.name === 'repeat') return this.#repeat(op, op.region!, times, early);
    if (op.name === 'manual') {
      const { args, ops, results: yields } = op.region!;
      return { kind: 'manual', operands, args, steps: this.block(ops, times, early), yields, results };
    }
    if (op.name === 'join_stacks') {
      const lengths = operands.map((id) => this.#program.values[id]!.type.stack!);
      return { kind: 'join', operands, result: results[0]!, lengths };
    }
    if (op.name === 'element') {
      const { index } = attributesOf(op, 'element');
      return { kind: 'element', stack: operands[0]!, index, result: results[0]! };
    }
    return { kind: 'move', reads: operands };
  }

  #collective(op: Op, name: CollectiveName, times: number, early: boolean): CollectiveStep {
    const { axis } = op.attributes as { axis: AxisName };
    const types = op.operands.map((id) => this.#program.values[id]!.type);
    const heldBytes = bytes(types.reduce((total, type) => total + typeBytes(type), 0));
    const moves =
      name === 'permute' &&
      (op.attributes as Attributes['permute']).shifts.map((by, index) => ({
        by,
        bytes: bytes(typeBytes(types[index]!)),
      }));
    // A stack that sums gradients whole takes of the sum what the program's op leaves, where it lies.
    const isWhole = this.#stack.gradientSums === 'whole' && op.phase === 'reduce' && name === 'reduce_scatter';
    const run = isWhole ? 'all_reduce' : name;
    const chosen = this.network.collective({ name: run, axis, heldBytes, ...(moves ? { shifts: moves } : {}) });
    const wait = this.#waits?.inCollective(this.collectives.length, axisSize(this.#machine.mesh, axis));
    const schedule = { ...chosen, channels: startingAfter(wait ?? seconds(0))(chosen.channels) };
    const duration = timeAlone(schedule, this.network.sharing);
    const { sentBytes, memoryBytes } = chipTraffic(schedule);
    const step: CollectiveStep = {
      kind: 'collective',
      op,
      name,
      axis,
      reads: op.operands,
      asynchronous: op.asynchronous === true && this.#stack.asynchronous.includes(name),
      single: !early && op.queued !== true,
      hostDuration: toTicks(this.#stack.hostTimePerOp),
      duration,
      schedule,
      channels: timeChannels(schedule),
      load: collectiveLoad(memoryBytes, toSeconds(duration), this.#machine.chip),
      sentBytes,
      times,
      index: this.collectives.length,
    };
    this.collectives.push(step);
    return step;
  }

  #repeat(op: Op, region: Region, times: number, early: boolean): RepeatStep {
    const { count, carried, reverse, first = 0 } = attributesOf(op, 'repeat');
    const { args, results: yields, ahead, ops } = region;
    const inside = this.collectives.length;
    const issuedAhead = ahead && {
      by: ahead.by,
      steps: this.block(ahead.ops, times * count, true),
      results: ahead.ops.flatMap(({ results }) => results),
    };
    const before = op.id === MICROBATCHES ? microbatchStep(this.#stack.hostOverheadPerMicrobatch, times * count) : [];
    const steps = [...before, ...this.block(ops, times * count, early)];
    const lengths = op.operands.slice(carried).map((id) => this.#program.values[id]!.type.stack!);
    return {
      kind: 'repeat',
      count,
      carried,
      reverse,
      first,
      firsts: lengths.map((length) => (length === count ? 0 : first)),
      operands: op.operands,
      args,
      ...(issuedAhead ? { ahead: issuedAhead } : {}),
      steps,
      yields,
      results: op.results,
      captured: capturedBy(region),
      collectives: this.collectives.slice(inside).map(({ index }) => index),
    };
  }
}

/** Values from around a region that anything in it uses. */
function capturedBy(region: Region): ValueId[] {
  const made = new Set<ValueId>();
  const used = new Set<ValueId>();
  const visit = (inner: Region): void => {
    inner.args.forEach((id) => made.add(id));
    for (const op of regionOps(inner)) {
      op.operands.forEach((id) => used.add(id));
      op.results.forEach((id) => made.add(id));
      if (op.region) visit(op.region);
    }
    inner.results.forEach((id) => used.add(id));
  };
  visit(region);
  return [...used].filter((id) => !made.has(id));
}

/** Where a microbatch begins among a program's ops; those inside the repeat over microbatches apart. */
function startOfMicrobatch(ops: readonly Op[]): number | undefined {
  const repeat = ops.findIndex(({ id }) => id === MICROBATCHES);
  if (repeat < 0) return 0;
  const last = ops.findIndex(({ id }) => id.startsWith(LAST_MICROBATCH));
  return last < 0 ? undefined : last;
}

/**
 * @param isMicrobatch whether the program has a microbatch's forward pass, or all of them
 * @throws MeshwrightError DTYPE_UNSUPPORTED when the chip has no matmul rate for a type of the program, PLAN_INVALID when
 * an algorithm that was asked for does not apply
 */
export function planProgram(
  program: Program,
  machine: Machine,
  stack: Stack,
  asked: CollectiveChoice = {},
  isMicrobatch = true,
): Plan {
  let planner = new Planner(program, machine, stack, asked);
  let steps = planner.block(program.ops, 1);
  // What is waited for hangs on what is computed between collectives, all of it.
  const waits = machine.waits && waitsIn(machine.waits, machine.chips, steps, planner.collectives);
  if (waits !== undefined) {
    planner = new Planner(program, machine, stack, asked, waits);
    steps = planner.block(program.ops, 1);
  }
  const start = isMicrobatch ? startOfMicrobatch(program.ops) : undefined;
  if (start !== undefined) steps.splice(start, 0, ...microbatchStep(stack.hostOverheadPerMicrobatch, 1));
  const { kernels, collectives } = planner;
  const hostDuration = addTicks(
    hostTicksPerStep(stack, machine.chips),
    addTicks(hostTicksOfSpans({ kernels, collectives, stack }), toTicks(waits?.atEnd ?? seconds(0))),
  );
  const { sharing } = planner.network;
  return { program, steps, kernels, collectives, chip: machine, stack, sharing, hostDuration, awaited: [] };
}
