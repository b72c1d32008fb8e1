/**
 * The virtual executor: runs a program on a machine in simulated time. All chips run the same program on the same shapes
 * and every pattern of flows covers the whole machine, so one rank stands for all of them (folding): exactly where all
 * groups of ranks lie alike, which the result says.
 */
import type { Stack } from '../src/hardware/index.js';
import type { Program } from '../src/program/index.js';
import type { Span, Trace } from '../src/trace/index.js';
import { spanId } from '../src/trace/index.js';
import type { KernelCost } from './cost/index.js';
import type { Ticks } from './engine/index.js';
import { ticks, toSeconds } from './engine/index.js';
import type { ExposureTotals } from './exposure.js';
import type { FoldedRun, Occurrence } from './folded.js';
import { runFolded } from './folded.js';
import type { Machine } from './machine/index.js';
import type { ComputeCategory, Plan } from './plan.js';
import { KERNEL_CATEGORIES, planProgram } from './plan.js';

export interface Execution {
  readonly duration: Ticks;
  /** All spans in the order of issue. Recorded in a run of its own when first asked for. */
  readonly trace: Trace;
  /** What the spans are made of, in the same order, with what each waited for; from the same run. */
  readonly occurrences: readonly Occurrence[];
  /**
   * One rank was simulated and stands for all, exactly. Otherwise groups of ranks take different times for their
   * collectives, and all are given that of the slowest.
   */
  readonly folded: boolean;
  readonly exposure: ExposureTotals;
  /** Ticks of all kernels and the host, by what limited them and slowed them down; they add up to the spans. */
  readonly computeTicks: Readonly<Record<ComputeCategory, Ticks>>;
  /** Matmul FLOPs that one chip executed. */
  readonly matmulFlops: number;
  /** By op id: what one run of each kernel costs. */
  readonly kernels: ReadonlyMap<string, KernelCost>;
  /** Bytes that went over each link, by its index in the machine's fabric. */
  readonly linkBytes: Float64Array;
}

function traceOf(plan: Plan, { duration, occurrences }: FoldedRun): Trace {
  const spans: Span[] = [];
  const host = plan.hostDuration;
  if (host > 0) {
    const times = { start: toSeconds(ticks(0)), end: toSeconds(host) };
    spans.push({ id: 'host/step', kind: 'host', name: 'step', phase: 'forward', rank: 0, ...times });
  }
  for (const { step, iterations, issued, start, end } of occurrences) {
    const { kind, op } = step;
    const id = spanId(op, iterations);
    const common = { id, kind, phase: op.phase, rank: 0, start: toSeconds(start), end: toSeconds(end) };
    if (step.kind === 'kernel') spans.push({ ...common, name: 'kernel' });
    else {
      const { name, sentBytes, axis } = step;
      spans.push({ ...common, name, sentBytes, axis, issued: toSeconds(issued) });
    }
  }
  return { source: 'simulated', step: 0, duration: toSeconds(duration), spans };
}

function linkBytesOf({ collectives }: Plan, { fabric }: Machine): Float64Array {
  const linkBytes = new Float64Array(fabric.links.length);
  const sent = new Map<ReadonlyMap<number, number>, number>();
  for (const { schedule, times } of collectives)
    for (const { pattern, steps, bytes } of schedule.channels.flat())
      sent.set(pattern.linkShares, (sent.get(pattern.linkShares) ?? 0) + times * steps * bytes);
  for (const [linkShares, bytes] of sent)
    for (const [link, share] of linkShares) linkBytes[link] = linkBytes[link]! + share * bytes;
  return linkBytes;
}

/** @throws MeshwrightError DTYPE_UNSUPPORTED when the chip has no matmul rate for a type of the program */
export function execute(program: Program, machine: Machine, stack: Stack): Execution {
  const plan = planProgram(program, machine, stack);
  const { kernels, collectives } = plan;
  const { duration, exposure, contention, even } = runFolded(plan);
  const computeTicks = { matmul: 0, memory: 0, vector: 0, overhead: plan.hostDuration as number, contention };
  let matmulFlops = 0;
  for (const { byCategory, cost, times } of kernels) {
    for (const category of KERNEL_CATEGORIES) computeTicks[category] += times * byCategory[category];
    matmulFlops += times * cost.matmulFlops;
  }
  let recorded: FoldedRun | undefined;
  const recordedRun = (): FoldedRun => (recorded ??= runFolded(plan, true));
  let trace: Trace | undefined;
  return {
    duration,
    get trace() {
      return (trace ??= traceOf(plan, recordedRun()));
    },
    get occurrences() {
      return recordedRun().occurrences;
    },
    folded: even && collectives.every(({ schedule }) => schedule.channels.flat().every(({ pattern }) => pattern.even)),
    exposure,
    computeTicks: {
      matmul: ticks(computeTicks.matmul),
      memory: ticks(computeTicks.memory),
      vector: ticks(computeTicks.vector),
      overhead: ticks(computeTicks.overhead),
      contention,
    },
    matmulFlops,
    kernels: new Map(kernels.map(({ op, cost }) => [op.id, cost])),
    linkBytes: linkBytesOf(plan, machine),
  };
}
