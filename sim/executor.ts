/**
 * The virtual executor: runs a program on a machine in simulated time and writes the trace. All chips run the same
 * program on the same shapes and every pattern of flows covers the whole machine, so one rank stands for all of them
 * (folding): exactly where all groups of ranks lie alike, which the result says. Issue is in program order; collectives are synchronous.
 */
import type { Stack } from '../src/hardware/index.js';
import type { AxisName } from '../src/mesh/index.js';
import { axisSize } from '../src/mesh/index.js';
import type { CollectiveName, Op, Program } from '../src/program/index.js';
import { attributesOf, collectiveBytes, isCollective, typeBytes } from '../src/program/index.js';
import type { Span, Trace } from '../src/trace/index.js';
import { spanId } from '../src/trace/index.js';
import { bytes } from '../src/units.js';
import type { KernelCost } from './cost/index.js';
import { kernelCost } from './cost/index.js';
import type { Ticks } from './engine/index.js';
import { EventQueue, Resource, ticks, toSeconds, toTicks } from './engine/index.js';
import type { Machine } from './machine/index.js';
import type { Pattern } from './network/index.js';
import { createNetwork } from './network/index.js';

/** Where a chip's compute time goes. */
export const COMPUTE_CATEGORIES = ['matmul', 'memory', 'vector', 'overhead'] as const;
export type ComputeCategory = (typeof COMPUTE_CATEGORIES)[number];

export interface CollectiveSpan {
  readonly span: Span;
  readonly axis: AxisName;
}

export interface Execution {
  readonly trace: Trace;
  /**
   * One rank was simulated and stands for all, exactly. Otherwise groups of ranks take different times for their
   * collectives, and all are given that of the slowest.
   */
  readonly folded: boolean;
  readonly collectives: readonly CollectiveSpan[];
  /** Ticks of all kernels and the host, by what limited them; they add up to the spans. */
  readonly computeTicks: Readonly<Record<ComputeCategory, Ticks>>;
  /** Matmul FLOPs that one chip executed. */
  readonly matmulFlops: number;
  /** By op id: what one run of each kernel costs. */
  readonly kernels: ReadonlyMap<string, KernelCost>;
  /** Bytes that went over each link, by its index in the machine's fabric. */
  readonly linkBytes: Float64Array;
}

interface Visit {
  readonly op: Op;
  readonly iterations: readonly number[];
}

function* walk(ops: readonly Op[], iterations: readonly number[]): Generator<Visit> {
  for (const op of ops) {
    if (op.name !== 'repeat') {
      yield { op, iterations };
      continue;
    }
    const { count, reverse } = attributesOf(op, 'repeat');
    for (let index = 0; index < count; index++) {
      yield* walk(op.region!.ops, [...iterations, reverse ? count - 1 - index : index]);
    }
  }
}

interface KernelPlan {
  readonly cost: KernelCost;
  readonly duration: Ticks;
  readonly byCategory: Readonly<Record<ComputeCategory, number>>;
}

/** The duration is rounded once; the parts are rounded where they end, so that they add up to it. */
function planKernel(cost: KernelCost): KernelPlan {
  const parts = [cost.matmulSeconds, cost.memorySeconds, cost.vectorSeconds, cost.overheadSeconds];
  const byCategory = { matmul: 0, memory: 0, vector: 0, overhead: 0 };
  let elapsed = 0;
  let before = 0;
  COMPUTE_CATEGORIES.forEach((category, index) => {
    elapsed += parts[index]!;
    const end = Math.round(elapsed * 1e10);
    byCategory[category] = end - before;
    before = end;
  });
  return { cost, duration: ticks(before), byCategory };
}

interface CollectivePlan {
  readonly name: CollectiveName;
  readonly axis: AxisName;
  readonly duration: Ticks;
  readonly sentBytes: number;
  readonly traffic: readonly { readonly pattern: Pattern; readonly bytes: number }[];
}

/** @throws MeshwrightError DTYPE_UNSUPPORTED when the chip has no matmul rate for a type of the program */
export function execute(program: Program, machine: Machine, stack: Stack): Execution {
  const queue = new EventQueue();
  const compute = new Resource('compute', queue);
  const links = new Resource('links', queue);
  const network = createNetwork(machine);
  const kernelPlans = new Map<string, KernelPlan>();
  const collectivePlans = new Map<string, CollectivePlan>();
  const traffic = new Map<Pattern, number>();
  const spans: Span[] = [];
  const collectives: CollectiveSpan[] = [];
  const computeTicks = { matmul: 0, memory: 0, vector: 0, overhead: 0 };
  let matmulFlops = 0;

  const kernelPlan = (op: Op): KernelPlan => {
    let plan = kernelPlans.get(op.id);
    if (plan === undefined) {
      plan = planKernel(kernelCost(op, program.values, machine, stack));
      kernelPlans.set(op.id, plan);
    }
    return plan;
  };
  const collectivePlan = (op: Op, name: CollectiveName): CollectivePlan => {
    let plan = collectivePlans.get(op.id);
    if (plan === undefined) {
      const { axis, shift } = op.attributes as { axis: AxisName; shift?: number };
      const types = op.operands.map((id) => program.values[id]!.type);
      const heldBytes = bytes(types.reduce((total, type) => total + typeBytes(type), 0));
      const time = network.collective({ name, axis, heldBytes, ...(shift === undefined ? {} : { shift }) });
      plan = {
        name,
        axis,
        duration: toTicks(time.seconds),
        sentBytes: collectiveBytes(name, types, axisSize(program.mesh, axis)),
        traffic: time.rounds.map((round) => ({ pattern: round.pattern, bytes: round.steps * round.bytes })),
      };
      collectivePlans.set(op.id, plan);
    }
    return plan;
  };

  const runKernel = (op: Op, id: string, done: () => void): void => {
    const plan = kernelPlan(op);
    compute.use(plan.duration, (start, end) => {
      spans.push({
        id,
        kind: 'kernel',
        name: 'kernel',
        phase: op.phase,
        rank: 0,
        start: toSeconds(start),
        end: toSeconds(end),
      });
      for (const category of COMPUTE_CATEGORIES) computeTicks[category] += plan.byCategory[category];
      matmulFlops += plan.cost.matmulFlops;
      done();
    });
  };
  const runCollective = (op: Op, name: CollectiveName, id: string, done: () => void): void => {
    const plan = collectivePlan(op, name);
    links.use(plan.duration, (start, end) => {
      const span: Span = {
        id,
        kind: 'collective',
        name,
        phase: op.phase,
        rank: 0,
        start: toSeconds(start),
        end: toSeconds(end),
        sentBytes: plan.sentBytes,
      };
      spans.push(span);
      collectives.push({ span, axis: plan.axis });
      for (const { pattern, bytes: sent } of plan.traffic) traffic.set(pattern, (traffic.get(pattern) ?? 0) + sent);
      done();
    });
  };

  const visits = walk(program.ops, []);
  const issue = (): void => {
    const next = visits.next();
    if (next.done === true) return;
    const { op, iterations } = next.value;
    const id = spanId(op, iterations);
    if (isCollective(op.name)) runCollective(op, op.name, id, issue);
    else runKernel(op, id, issue);
  };
  const hostTicks = toTicks(stack.hostOverheadPerStep);
  if (hostTicks === 0) issue();
  else {
    compute.use(hostTicks, (start, end) => {
      const times = { start: toSeconds(start), end: toSeconds(end) };
      spans.push({ id: 'host/step', kind: 'host', name: 'step', phase: 'forward', rank: 0, ...times });
      computeTicks.overhead += hostTicks;
      issue();
    });
  }
  const duration = queue.run();

  const linkBytes = new Float64Array(machine.fabric.links.length);
  for (const [pattern, sent] of traffic)
    for (const [link, share] of pattern.linkShares) linkBytes[link] = linkBytes[link]! + share * sent;
  return {
    trace: { source: 'simulated', step: 0, duration: toSeconds(duration), spans },
    folded: [...traffic.keys()].every(({ even }) => even),
    collectives,
    computeTicks: {
      matmul: ticks(computeTicks.matmul),
      memory: ticks(computeTicks.memory),
      vector: ticks(computeTicks.vector),
      overhead: ticks(computeTicks.overhead),
    },
    matmulFlops,
    kernels: new Map([...kernelPlans].map(([id, { cost }]) => [id, cost])),
    linkBytes,
  };
}
