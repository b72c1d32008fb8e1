/**
 * The virtual executor: runs a program on a machine in simulated time. All chips run the same program on the same shapes
 * and every pattern of flows covers the whole machine, so one rank stands for all of them (folding): exactly where all
 * groups of ranks lie alike, which the result says.
 *
 * Collectives over one axis run one after the other, in the order of issue. So do those over axes that use a common link
 * anywhere on the machine, directly or through a third axis' links (both through a node's network cards, say): that is
 * no faster than sharing the link, where a real one might use what each leaves idle. Others run at the same time.
 */
import type { Stack } from '../src/hardware/index.js';
import type { Program } from '../src/program/index.js';
import type { Span, Trace } from '../src/trace/index.js';
import { spanId } from '../src/trace/index.js';
import type { KernelCost } from './cost/index.js';
import type { Ticks } from './engine/index.js';
import { ticks, toSeconds, toTicks } from './engine/index.js';
import type { ExposureTotals } from './exposure.js';
import type { Machine } from './machine/index.js';
import type { RunId } from './instructions.js';
import { linearize } from './instructions.js';
import type { CollectiveStep, ComputeCategory, KernelStep, Plan } from './plan.js';
import { COMPUTE_CATEGORIES, planProgram } from './plan.js';
import { Walk } from './walk.js';

/** What became of an instruction. */
export interface Occurrence {
  readonly step: KernelStep | CollectiveStep;
  /** Of the repeats around it, outermost first. */
  readonly iterations: readonly number[];
  /** Of a collective. */
  readonly run?: RunId;
  /** What the chip waited for before it, and what a collective waited for that was issued. */
  readonly after: readonly RunId[];
  readonly operands: readonly RunId[];
  /** When the chip came to it and had what is in `after`. */
  readonly issued: Ticks;
  /** Of a collective: on the links. */
  readonly start: Ticks;
  readonly end: Ticks;
}

export interface Execution {
  readonly plan: Plan;
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
  /** Ticks of all kernels and the host, by what limited them; they add up to the spans. */
  readonly computeTicks: Readonly<Record<ComputeCategory, Ticks>>;
  /** Matmul FLOPs that one chip executed. */
  readonly matmulFlops: number;
  /** By op id: what one run of each kernel costs. */
  readonly kernels: ReadonlyMap<string, KernelCost>;
  /** Bytes that went over each link, by its index in the machine's fabric. */
  readonly linkBytes: Float64Array;
}

function record(plan: Plan): Trace {
  const spans: Span[] = [];
  const host = plan.hostDuration;
  if (host > 0) {
    const times = { start: toSeconds(ticks(0)), end: toSeconds(host) };
    spans.push({ id: 'host/step', kind: 'host', name: 'step', phase: 'forward', rank: 0, ...times });
  }
  const walk = new Walk(plan, (step, iterations, start, end) => {
    const { kind, op } = step;
    const id = spanId(op, iterations);
    const common = { id, kind, phase: op.phase, rank: 0, start: toSeconds(start), end: toSeconds(end) };
    if (step.kind === 'kernel') spans.push({ ...common, name: 'kernel' });
    else spans.push({ ...common, name: step.name, sentBytes: step.sentBytes, axis: step.axis });
  });
  return { source: 'simulated', step: 0, duration: toSeconds(walk.run()), spans };
}

function occurrencesOf(plan: Plan, trace: Trace): Occurrence[] {
  const spans = trace.spans.filter(({ kind }) => kind !== 'host');
  const found: Occurrence[] = [];
  const ends: Ticks[] = [];
  let now = plan.hostDuration;
  for (const instruction of linearize(plan)) {
    for (const run of instruction.after) now = ticks(Math.max(now, ends[run]!));
    if (instruction.kind === 'wait') continue;
    const { step, iterations, after } = instruction;
    const span = spans[found.length]!;
    const [start, end] = [toTicks(span.start), toTicks(span.end)];
    if (instruction.kind === 'kernel') {
      found.push({ step, iterations, after, operands: [], issued: start, start, end });
      now = end;
    } else {
      const { run, operands } = instruction;
      found.push({ step, iterations, after, operands, run, issued: now, start, end });
      ends[run] = end;
      if (instruction.synchronous) now = end;
    }
  }
  return found;
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
  const walk = new Walk(plan);
  const duration = walk.run();
  const computeTicks = { matmul: 0, memory: 0, vector: 0, overhead: plan.hostDuration as number };
  let matmulFlops = 0;
  for (const { byCategory, cost, times } of kernels) {
    for (const category of COMPUTE_CATEGORIES) computeTicks[category] += times * byCategory[category];
    matmulFlops += times * cost.matmulFlops;
  }
  let trace: Trace | undefined;
  return {
    plan,
    duration,
    get occurrences() {
      return occurrencesOf(plan, this.trace);
    },
    get trace() {
      return (trace ??= record(plan));
    },
    folded: collectives.every(({ schedule }) => schedule.channels.flat().every(({ pattern }) => pattern.even)),
    exposure: walk.exposure.totals(),
    computeTicks: {
      matmul: ticks(computeTicks.matmul),
      memory: ticks(computeTicks.memory),
      vector: ticks(computeTicks.vector),
      overhead: ticks(computeTicks.overhead),
    },
    matmulFlops,
    kernels: new Map(kernels.map(({ op, cost }) => [op.id, cost])),
    linkBytes: linkBytesOf(plan, machine),
  };
}
