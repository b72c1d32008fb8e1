/** From kept measurements to subjects of the fit, with the reference's drift divided out. */
import { availableParallelism } from 'node:os';
import { linearRegression, median } from 'simple-statistics';
import type { MeasuredOp, Subject } from '../../src/calibrate/index.js';
import { runSubject, together } from '../../src/calibrate/index.js';
import { measuredOps, predictorOf } from '../../src/cli/predictor.js';
import type { BenchJob } from './jobs.js';
import { resolved } from './jobs.js';
import type { Slot } from './requests.js';

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** What the reference says of the machine's speed. */
export interface Pace {
  /** What the reference takes when nothing disturbs it: the median of all, in seconds. */
  readonly usual: number;
  /** By how many percent a step is longer where the reference is by one, from 0 (they have nothing in common) to 1. */
  readonly share: number;
}

const logOf = ({ referenceSeconds }: Slot): number => Math.log(mean(referenceSeconds));

/** By the slope of steps over the reference within each job: what disturbs the reference alone says nothing of a step. */
export function paceOf(slots: readonly Slot[]): Pace {
  const points = [...new Set(slots.map(({ job }) => job))].flatMap((job) => {
    const own = slots.filter((slot) => slot.job === job);
    const steps = own.map(({ stepSeconds }) => Math.log(median([...stepSeconds])));
    const [x, y] = [mean(own.map(logOf)), mean(steps)];
    return own.map((slot, index) => [logOf(slot) - x, steps[index]! - y]);
  });
  const { m } = linearRegression(points);
  const usual = median(slots.flatMap(({ referenceSeconds }) => [...referenceSeconds]));
  return { usual, share: Number.isFinite(m) ? Math.min(1, Math.max(0, m)) : 0 };
}

export const driftOf = ({ referenceSeconds }: Slot, { usual, share }: Pace): number =>
  (mean(referenceSeconds) / usual) ** share;

/** By block: the median step with the drift divided out. */
export const blockSteps = (slots: readonly Slot[], pace: Pace): number[] =>
  slots.map((slot) => median([...slot.stepSeconds]) / driftOf(slot, pace));

/** The median over blocks of what each op adds. */
function typicalOps(slots: readonly Slot[], pace: Pace): MeasuredOp[] {
  const byBlock = slots.map((slot) => measuredOps(slot.spans, driftOf(slot, pace)));
  return byBlock[0]!.map((op, index) => ({
    ...op,
    exposedSeconds: median(byBlock.map((ops) => ops[index]!.exposedSeconds)),
  }));
}

export interface Measured {
  readonly job: BenchJob;
  readonly stepSeconds: number;
  /** Half of what lies between the 10th and the 90th percentile of blocks, over their median. */
  readonly repeatability: number;
  readonly blocks: readonly number[];
  readonly subject: Subject;
}

export function measuredJob(job: BenchJob, slots: readonly Slot[], pace: Pace, hardware: string): Measured {
  const blocks = blockSteps(slots, pace);
  // Without what is an outlier by the median absolute deviation.
  const { value: stepSeconds, repeatability } = together(blocks);
  const subject = runSubject(
    {
      group: job.name,
      title: job.name,
      ranks: job.ranks,
      stepSeconds,
      ops: typicalOps(slots, pace),
      takesTurns: job.ranks > availableParallelism(),
      isPipeline: false,
    },
    predictorOf(resolved(job, hardware)),
  );
  return { job, stepSeconds, repeatability, blocks, subject };
}
