/** A pipeline's step looked at closely: what `report.ts` has of a step that is one program. */
import type { Lane } from '../../src/mesh/index.js';
import type { Flops, Seconds } from '../../src/units.js';
import { flopsPerSecond } from '../../src/units.js';
import { ticks, toSeconds, toTicks } from '../engine/index.js';
import { runFolded } from '../folded.js';
import { documentOf, linkClasses, linkUses } from '../links.js';
import type { Machine } from '../machine/index.js';
import type { CollectiveUse, KernelUse } from '../ops.js';
import { opUse } from '../ops.js';
import type { Details, RunDetails } from '../report.js';
import { LISTED } from '../report.js';
import { pipelineBounds } from './bounds.js';
import { pipelineCriticalPath } from './critical-path.js';
import { pipelineMemoryTimeline } from './memory-timeline.js';
import type { PipelineExecution, PipelineResult } from './simulate.js';

export interface PipelineDetailsInput {
  readonly result: PipelineResult;
  readonly execution: PipelineExecution;
  readonly machine: Machine;
  readonly modelFlops: Flops;
  readonly listLinks: boolean;
}

/** Kernels and collectives of the stage's chips in a step. */
const runsOf = ({ stages }: PipelineExecution, stage: number): number =>
  stages[stage]!.uses.reduce(
    (total, { run, count }) =>
      total + count * [...run.plan.kernels, ...run.plan.collectives].reduce((sum, { times }) => sum + times, 0),
    0,
  );

export function pipelineDetails(input: PipelineDetailsInput): Details {
  const { result, execution, machine, modelFlops, listLinks } = input;
  const bounds = pipelineBounds(execution, machine, modelFlops);
  const uses = linkUses(machine, execution.linkBytes, result.stepTimeSeconds);
  return {
    bounds,
    boundShare: bounds.seconds / result.stepTimeSeconds,
    runs: runsOf(execution, result.pipeline.slowestStage),
    details: runDetails(input),
    links: { ...result.links, classes: linkClasses(uses), ...(listLinks ? { all: uses.map(documentOf) } : {}) },
  };
}

/** Without what sums of seconds lose. */
const wholeTicks = (seconds: number): number => toSeconds(toTicks(seconds as Seconds));

/** Of the busiest stage, but for memory, which is that of the stage that needs most. */
function runDetails({ result, execution, machine }: PipelineDetailsInput): RunDetails {
  const { stepTimeSeconds, peakFlopsPerSecondPerChip, pipeline } = result;
  const kernels = new Map<string, KernelUse>();
  const collectives = new Map<string, CollectiveUse>();
  const axes = new Map<Lane, { busy: number; exposed: number }>();
  const addAxis = (axis: Lane, busy: number, exposed: number): void => {
    const before = axes.get(axis) ?? { busy: 0, exposed: 0 };
    axes.set(axis, { busy: before.busy + busy, exposed: before.exposed + exposed });
  };
  const { uses, exposure, transfers } = execution.stages[pipeline.slowestStage]!;
  for (const { run, count } of uses) {
    const { occurrences } = runFolded(run.plan, true);
    const use = opUse(occurrences, stepTimeSeconds, machine, flopsPerSecond(peakFlopsPerSecondPerChip));
    for (const one of use.kernels) {
      const before = kernels.get(one.id);
      const [runs, seconds] = [count * one.runs + (before?.runs ?? 0), count * one.seconds + (before?.seconds ?? 0)];
      kernels.set(one.id, { ...one, runs, seconds, share: seconds / stepTimeSeconds });
    }
    for (const one of use.collectives) {
      const before = collectives.get(one.id);
      const exposedSeconds = count * one.exposedSeconds + (before?.exposedSeconds ?? 0);
      collectives.set(one.id, {
        ...one,
        runs: count * one.runs + (before?.runs ?? 0),
        seconds: count * one.seconds + (before?.seconds ?? 0),
        exposedSeconds,
        exposedShare: exposedSeconds / stepTimeSeconds,
        sentBytesPerChip: count * one.sentBytesPerChip + (before?.sentBytesPerChip ?? 0),
      });
      addAxis(one.axis, count * one.seconds, 0);
    }
  }
  for (const [axis, exposed] of Object.entries(exposure.exposedByAxis)) addAxis(axis as Lane, 0, toSeconds(exposed));
  addAxis('pipe', toSeconds(ticks(transfers.exposed + transfers.hidden)), 0);
  return {
    criticalPath: pipelineCriticalPath(execution),
    memoryTimeline: pipelineMemoryTimeline(execution, pipeline.largestStage),
    communicationByAxis: Object.fromEntries(
      [...axes].map(([axis, { busy, exposed }]) => [
        axis,
        { busySeconds: busy, exposedSeconds: exposed, hiddenSeconds: Math.max(0, wholeTicks(busy - exposed)) },
      ]),
    ),
    kernels: [...kernels.values()].sort((a, b) => b.seconds - a.seconds).slice(0, LISTED),
    collectives: [...collectives.values()].sort((a, b) => b.exposedSeconds - a.exposedSeconds).slice(0, LISTED),
  };
}
