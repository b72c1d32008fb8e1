/** A program made ready to be walked: what each kernel and collective costs, worked out once. */
import type { Stack } from '../src/hardware/index.js';
import type { AxisName, HostLane } from '../src/mesh/index.js';
import { axisSize } from '../src/mesh/index.js';
import type { Attributes, CollectiveName, HostMoveName, Op, Program, Region, ValueId } from '../src/program/index.js';
import {
  LAST_MICROBATCH,
  MICROBATCHES,
  attributesOf,
  isCollective,
  isCompute,
  isOnHost,
  movedOperands,
  regionOps,
  typeBytes,
} from '../src/program/index.js';
import type { Seconds } from '../src/units.js';
import { bytes, flops, seconds } from '../src/units.js';
import type { ComputeChip, KernelCost, ProgramKernels } from './cost/index.js';
import { collectiveLoad, kernelsOf } from './cost/index.js';
import type { Ticks } from './engine/index.js';
import { addTicks, ticks, toSeconds, toTicks } from './engine/index.js';
import type { Machine } from './machine/index.js';
import type { Network, NetworkOptions, Sharing } from './network/index.js';
import { chipTraffic, createNetwork, startingAfter, timeAlone, timeChannels } from './network/index.js';
import type { CollectiveStep, KernelStep, RepeatStep, Step } from './steps.js';
import { KERNEL_CATEGORIES } from './steps.js';
import type { StepWaits } from './waits.js';
import { waitsIn } from './waits.js';

export * from './steps.js';

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

type Transfer = Pick<CollectiveStep, 'op' | 'name' | 'axis' | 'asynchronous' | 'schedule' | 'times'> & {
  readonly early: boolean;
};

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
    if (op.name === 'to_host') return this.#onHost(op, op.name, 'to-host', times, early);
    if (op.name === 'from_host') return this.#onHost(op, op.name, 'from-host', times, early);
    if (op.name === 'kernel' || isCompute(op.name)) {
      if (isOnHost(op, this.#program.values)) return this.#onHost(op, 'host_update', 'host-update', times, early);
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
    const schedule = wait === undefined ? chosen : { ...chosen, channels: startingAfter(wait)(chosen.channels) };
    const asynchronous = op.asynchronous === true && this.#stack.asynchronous.includes(name);
    return this.#transfer({ op, name, axis, asynchronous, schedule, times, early }, this.#machine.chip.collectiveUnits);
  }

  /** A transfer between a chip and its host, which copy engines do; or what the host computes, for which nobody waits. */
  #onHost(op: Op, name: HostMoveName | 'host_update', axis: HostLane, times: number, early: boolean): CollectiveStep {
    const type = (id: ValueId) => this.#program.values[id]!.type;
    const touched =
      name === 'host_update'
        ? [...new Set([...op.operands, ...op.results])]
        : movedOperands(op.operands, op.attributes as Attributes['from_host']);
    const moved = touched.reduce((total, id) => total + typeBytes(type(id)), 0);
    const schedule = this.network.host(axis, bytes(moved));
    const asynchronous = name === 'host_update' || op.asynchronous === true;
    return this.#transfer({ op, name, axis, asynchronous, schedule, times, early }, 0);
  }

  #transfer({ op, name, axis, asynchronous, schedule, times, early }: Transfer, units: number): CollectiveStep {
    const duration = timeAlone(schedule, this.network.sharing);
    const { sentBytes, memoryBytes } = chipTraffic(schedule);
    const step: CollectiveStep = {
      kind: 'collective',
      op,
      name,
      axis,
      reads: op.operands,
      asynchronous,
      single: !early && op.queued !== true,
      hostDuration: toTicks(this.#stack.hostTimePerOp),
      duration,
      schedule,
      channels: timeChannels(schedule),
      load: collectiveLoad(memoryBytes, toSeconds(duration), this.#machine.chip, units),
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
  const waits = machine.waits && waitsIn(machine.waits, machine.chips, { steps, collectives: planner.collectives });
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
