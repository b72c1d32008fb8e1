/** A simulated step looked at closely: what it hangs on, what its time, memory and links are used for. */
import type { Program } from '../src/program/index.js';
import type { Flops } from '../src/units.js';
import { flopsPerSecond } from '../src/units.js';
import type { Bounds } from './bounds/index.js';
import { boundsOf } from './bounds/index.js';
import { memoryOptions } from './cost/index.js';
import type { CriticalPath } from './critical-path.js';
import { criticalPath } from './critical-path.js';
import type { Execution } from './executor.js';
import type { LinkClass, LinkSummary, LinkUse } from './links.js';
import { documentOf, linkClasses, linkUses } from './links.js';
import type { Machine } from './machine/index.js';
import type { MemoryPoint } from './memory-timeline.js';
import { memoryTimeline } from './memory-timeline.js';
import type { CollectiveUse, KernelUse, OpUse } from './ops.js';
import { opUse } from './ops.js';
import type { SimulationResult } from './simulate.js';

/** A step of more runs of kernels and collectives is not looked at one by one: that takes too long and too much memory. */
export const MOST_RUNS = 1_000_000;

/** Of kernels, and of collectives. */
export const LISTED = 20;

/** What is known of each run of a kernel or collective, put together. */
export interface RunDetails {
  readonly criticalPath: CriticalPath;
  readonly memoryTimeline: readonly MemoryPoint[];
  readonly communicationByAxis: OpUse['communicationByAxis'];
  /** Those that take longest. */
  readonly kernels: readonly KernelUse[];
  /** Those that are exposed longest. */
  readonly collectives: readonly CollectiveUse[];
}

export interface Details {
  readonly bounds: Bounds;
  /** The largest bound of the step over its time: 1 where nothing could be faster. */
  readonly boundShare: number;
  /** Kernels and collectives that a chip runs in a step. */
  readonly runs: number;
  /** Null where there are more than `MOST_RUNS`. */
  readonly details: RunDetails | null;
  readonly links: LinkSummary & { readonly classes: readonly LinkClass[]; readonly all?: readonly LinkUse[] };
}

export interface DetailsInput {
  readonly result: SimulationResult;
  readonly execution: Execution;
  readonly program: Program;
  readonly machine: Machine;
  /** As `SimulationInput.modelFlops`. */
  readonly modelFlops: Flops;
  /** Whether all links are listed. */
  readonly listLinks: boolean;
}

export const runsOf = ({ plan }: Pick<Execution, 'plan'>): number =>
  [...plan.kernels, ...plan.collectives].reduce((total, { times }) => total + times, 0);

export function detailsOf({ result, execution, program, machine, modelFlops, listLinks }: DetailsInput): Details {
  const { stepTimeSeconds } = result;
  const bounds = boundsOf(program, machine, modelFlops);
  const uses = linkUses(machine, execution.linkBytes, stepTimeSeconds);
  const runs = runsOf(execution);
  return {
    bounds,
    boundShare: bounds.seconds / stepTimeSeconds,
    runs,
    details: runs > MOST_RUNS ? null : runDetails(result, execution, program, machine),
    links: { ...result.links, classes: linkClasses(uses), ...(listLinks ? { all: uses.map(documentOf) } : {}) },
  };
}

function runDetails(result: SimulationResult, execution: Execution, program: Program, machine: Machine): RunDetails {
  const { occurrences, duration, plan } = execution;
  const { stepTimeSeconds, peakFlopsPerSecondPerChip } = result;
  const use = opUse(occurrences, stepTimeSeconds, machine, flopsPerSecond(peakFlopsPerSecondPerChip));
  return {
    criticalPath: criticalPath(occurrences, duration, plan.hostDuration),
    memoryTimeline: memoryTimeline(program, occurrences, stepTimeSeconds, memoryOptions(program, plan.stack)),
    communicationByAxis: use.communicationByAxis,
    kernels: use.kernels.slice(0, LISTED),
    collectives: use.collectives.slice(0, LISTED),
  };
}
