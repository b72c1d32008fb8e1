/** From kept measurements to subjects of the fit, with the reference's drift divided out. */
import { availableParallelism } from 'node:os';
import { median } from 'simple-statistics';
import type { MeasuredOp, Subject } from '../../src/calibrate/index.js';
import { runSubject } from '../../src/calibrate/index.js';
import { measuredOps, predictorOf } from '../../src/cli/predictor.js';
import type { BenchJob } from './jobs.js';
import { resolved } from './jobs.js';
import type { Slot } from './requests.js';

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** What the reference takes when nothing disturbs it: the median of all. */
export const usualReference = (slots: readonly Slot[]): number =>
  median(slots.flatMap(({ referenceSeconds }) => [...referenceSeconds]));

export const driftOf = ({ referenceSeconds }: Slot, usual: number): number => mean(referenceSeconds) / usual;

/** By block: the median step with the drift divided out. */
export const blockSteps = (slots: readonly Slot[], usual: number): number[] =>
  slots.map((slot) => median([...slot.stepSeconds]) / driftOf(slot, usual));

/** The median over blocks of what each op adds. */
function typicalOps(slots: readonly Slot[], usual: number): MeasuredOp[] {
  const byBlock = slots.map((slot) => measuredOps(slot.spans, driftOf(slot, usual)));
  return byBlock[0]!.map((op, index) => ({
    ...op,
    exposedSeconds: median(byBlock.map((ops) => ops[index]!.exposedSeconds)),
  }));
}

export interface Measured {
  readonly job: BenchJob;
  readonly stepSeconds: number;
  readonly blocks: readonly number[];
  readonly subject: Subject;
}

export function measuredJob(job: BenchJob, slots: readonly Slot[], usual: number, hardware: string): Measured {
  const blocks = blockSteps(slots, usual);
  const stepSeconds = median(blocks);
  const subject = runSubject(
    {
      group: job.name,
      title: job.name,
      ranks: job.ranks,
      stepSeconds,
      ops: typicalOps(slots, usual),
      takesTurns: job.ranks > availableParallelism(),
      isPipeline: false,
    },
    predictorOf(resolved(job, hardware)),
  );
  return { job, stepSeconds, blocks, subject };
}
