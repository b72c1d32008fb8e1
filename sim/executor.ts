/**
 * The virtual executor: runs a program on a machine in simulated time. All chips run the same program on the same shapes
 * and every pattern of flows covers the whole machine, so one rank stands for all of them (folding): exactly where all
 * groups of ranks lie alike, which the result says. Where asked for, or where faults make chips or links differ, every
 * chip and link is run (unfolding), and the result is that of the chip that ends last.
 */
import type { Stack } from '../src/hardware/index.js';
import type { Program } from '../src/program/index.js';
import type { Span, Trace } from '../src/trace/index.js';
import type { KernelCost } from './cost/index.js';
import type { Ticks } from './engine/index.js';
import { ticks, toSeconds } from './engine/index.js';
import type { ExposureTotals } from './exposure.js';
import type { Occurrence } from './folded.js';
import { runFolded } from './folded.js';
import type { Machine } from './machine/index.js';
import type { Pattern } from './network/index.js';
import type { CollectiveChoice, ComputeCategory, Plan } from './plan.js';
import { KERNEL_CATEGORIES, planProgram } from './plan.js';
import { hostSpan, spansOf } from './spans.js';
import type { ChipSpreads, UnfoldRequest } from './unfold/index.js';
import { unfoldStep } from './unfold/index.js';

/** What is known of an execution of every chip and link. */
export interface Unfolded {
  readonly events: number;
  readonly flows: number;
  readonly lastChip: number;
  /** Of the last chip. */
  readonly lastRank: number;
  readonly spreads: ChipSpreads;
}

export interface Execution {
  readonly plan: Plan;
  readonly duration: Ticks;
  /** All spans in the order of issue. Recorded in a run of its own when first asked for. */
  readonly trace: Trace;
  /** What the spans are made of, in the same order, with what each waited for; from the same run. */
  readonly occurrences: readonly Occurrence[];
  /**
   * One rank was simulated and stands for all, exactly. Where that is not so and `unfolded` is absent, the execution is
   * an estimate: groups of ranks, or flows of a collective that share links with another's, take different times, and
   * every chip is given the slowest's. It is no bound: chips that wait for each other make up for some of it, and a
   * longer collective takes less of its chip's memory at a time.
   */
  readonly folded: boolean;
  /** Absent where one rank stands for all. */
  readonly unfolded?: Unfolded;
  readonly exposure: ExposureTotals;
  /** That the chip waited for the host to launch kernels. */
  readonly hostWait: Ticks;
  /** Ticks of all kernels and the host, by what limited them and slowed them down; they add up to the spans. */
  readonly computeTicks: Readonly<Record<ComputeCategory, Ticks>>;
  /** Matmul FLOPs that one chip executed, without what a fused causal attention leaves out. */
  readonly matmulFlops: number;
  /** By op id: what one run of each kernel costs. */
  readonly kernels: ReadonlyMap<string, KernelCost>;
  /** Bytes that went over each link, by its index in the machine's fabric. */
  readonly linkBytes: Float64Array;
}

/** What became of the instructions of some ranks. */
type ByRank = ReadonlyMap<number, readonly Occurrence[]>;

function traceOf(plan: Plan, duration: Ticks, byRank: ByRank): Trace {
  const spans: Span[] = [];
  for (const [rank, occurrences] of byRank) {
    if (plan.hostDuration > 0) spans.push(hostSpan(plan.hostDuration, rank));
    spans.push(...spansOf(occurrences, { rank, from: ticks(0) }));
  }
  return { source: 'simulated', step: 0, duration: toSeconds(duration), spans };
}

function linkBytesOf({ collectives }: Plan, { fabric }: Machine): Float64Array {
  const linkBytes = new Float64Array(fabric.links.length);
  const sent = new Map<Pattern, number>();
  for (const { schedule, times } of collectives)
    for (const { pattern, steps, bytes } of schedule.channels.flat())
      sent.set(pattern, (sent.get(pattern) ?? 0) + times * steps * bytes);
  for (const [{ linkShares }, bytes] of sent) linkShares.addTo(linkBytes, bytes);
  return linkBytes;
}

type Outcome = Pick<Execution, 'duration' | 'folded' | 'unfolded' | 'exposure' | 'hostWait' | 'linkBytes'> & {
  readonly contention: Ticks;
  readonly variation: Ticks;
  /** Of rank 0, and of the rank that the execution is of. */
  readonly recorded: () => ByRank;
};

function runOne(plan: Plan, machine: Machine): Outcome {
  const { duration, exposure, contention, hostWait, even } = runFolded(plan);
  const patterns = plan.collectives.flatMap(({ schedule }) => schedule.channels.flat().map(({ pattern }) => pattern));
  return {
    duration,
    exposure,
    contention,
    hostWait,
    variation: ticks(0),
    folded: even && patterns.every((pattern) => pattern.even),
    linkBytes: linkBytesOf(plan, machine),
    recorded: () => new Map([[0, runFolded(plan, true).occurrences]]),
  };
}

function runAll(plan: Plan, machine: Machine, request: UnfoldRequest): Outcome {
  const { run, lastChip, spreads, occurrences, ...times } = unfoldStep(plan, machine, request);
  const { exposure, contention, hostWait, variation } = times;
  const { duration, events, flows, linkBytes } = run;
  const rankOf = Array.from({ length: machine.chips }, () => 0);
  rankOf.forEach((_, rank) => (rankOf[machine.chipOf(rank)] = rank));
  const recorded = (): ByRank => {
    const chips = [...new Set([machine.chipOf(0), lastChip])];
    return new Map([...occurrences(chips)].map(([chip, list]) => [rankOf[chip]!, list]));
  };
  const unfolded = { events, flows, lastChip, lastRank: rankOf[lastChip]!, spreads };
  return { duration, exposure, contention, hostWait, variation, folded: false, unfolded, linkBytes, recorded };
}

/** Events of a step on every chip that a faulty link alone is worth, some 5 s of one core. */
const MOST_EVENTS = 20_000_000;

/** About as many events as an unfolded run has. */
function eventsOf({ kernels, collectives }: Plan, chips: number): number {
  let events = 0;
  for (const { times } of kernels) events += times * chips;
  for (const { schedule, times } of collectives)
    for (const { pattern, steps } of schedule.channels.flat()) events += times * steps * pattern.flows.length;
  return events;
}

/** One chip where that is exact, and where nothing is asked for or known to differ. */
function run(plan: Plan, machine: Machine, unfold: UnfoldRequest | undefined): Outcome {
  if (unfold !== undefined || machine.chipSlowdown.size > 0) return runAll(plan, machine, unfold ?? {});
  const one = runOne(plan, machine);
  const few = machine.faultyLinks && eventsOf(plan, machine.chips) <= MOST_EVENTS;
  return one.folded || !few ? one : runAll(plan, machine, {});
}

/** What a plan's kernels take, all their runs, with the host before them. */
export function computeOf(
  { kernels, hostDuration }: Plan,
  contention: Ticks,
  variation: Ticks,
): Pick<Execution, 'computeTicks' | 'matmulFlops'> {
  const computeTicks = { matmul: 0, memory: 0, vector: 0, overhead: hostDuration as number };
  let matmulFlops = 0;
  for (const { byCategory, cost, times } of kernels) {
    for (const category of KERNEL_CATEGORIES) computeTicks[category] += times * byCategory[category];
    matmulFlops += times * cost.matmulFlops;
  }
  return {
    computeTicks: {
      matmul: ticks(computeTicks.matmul),
      memory: ticks(computeTicks.memory),
      vector: ticks(computeTicks.vector),
      overhead: ticks(computeTicks.overhead),
      contention,
      variation,
    },
    matmulFlops,
  };
}

export interface ExecutionOptions {
  /** Runs every chip and link, which is done in any case where chips differ, or links where that is not too much. */
  readonly unfold?: UnfoldRequest;
  /** Algorithms of collectives that were asked for; the fastest elsewhere. */
  readonly collectives?: CollectiveChoice;
}

/**
 * @throws MeshwrightError DTYPE_UNSUPPORTED when the chip has no matmul rate for a type of the program, PLAN_INVALID when
 * an algorithm that was asked for does not apply
 */
export function execute(
  program: Program,
  machine: Machine,
  stack: Stack,
  { unfold, collectives }: ExecutionOptions = {},
): Execution {
  const plan = planProgram(program, machine, stack, collectives);
  const outcome = run(plan, machine, unfold);
  const { duration, folded, unfolded, exposure, contention, hostWait, variation, linkBytes } = outcome;
  let recorded: ByRank | undefined;
  const byRank = (): ByRank => (recorded ??= outcome.recorded());
  let trace: Trace | undefined;
  return {
    plan,
    duration,
    get trace() {
      return (trace ??= traceOf(plan, duration, byRank()));
    },
    get occurrences() {
      return byRank().get(unfolded?.lastRank ?? 0)!;
    },
    folded,
    ...(unfolded === undefined ? {} : { unfolded }),
    exposure,
    hostWait,
    ...computeOf(plan, contention, variation),
    kernels: new Map(plan.kernels.map(({ op, cost }) => [op.id, cost])),
    linkBytes,
  };
}
