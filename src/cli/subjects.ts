/** What a fit is made to, from runs and from evidence that was kept or imported. */
import type { MeasuredEvidence, ProfileDocuments, Subject } from '../calibrate/index.js';
import { runSubject, typicalStep, workSubject } from '../calibrate/index.js';
import type { Hardware, Stack } from '../hardware/index.js';
import type { Job } from '../job/index.js';
import { formatPlan, isPipeline } from '../job/index.js';
import type { TimedSpan } from '../trace/index.js';
import { Assessor } from './assess.js';
import { measuredOps, predictorOf } from './predictor.js';
import type { Trial } from './trial.js';
import { joinTrial, measuredStepSeconds } from './trial.js';

/** Runs of one model under one plan are held out together. */
export const groupOf = ({ model, plan, batch, training }: Job): string =>
  `${model.name} ${formatPlan(plan)} batch ${batch} ${training.family}`;

function subjectOfRun(job: Job, stepSeconds: number, spans: readonly TimedSpan[], drift: number): Subject {
  const { topology } = job.hardware;
  return runSubject(
    {
      group: groupOf(job),
      title: `${job.model.name} ${formatPlan(job.plan)}`,
      ranks: job.chips,
      stepSeconds,
      ops: measuredOps(spans, drift),
      takesTurns: topology.kind === 'shared-memory' && job.chips > topology.cores,
      isPipeline: isPipeline(job.plan),
    },
    predictorOf(job),
  );
}

/** @throws MeshwrightError RUN_INVALID of a run that is not of its job's program */
export function subjectOfTrial(trial: Trial): Subject {
  joinTrial(trial);
  const { job } = trial.predicted;
  return subjectOfRun(job, measuredStepSeconds(trial), trial.spans, 1);
}

/**
 * @param hardwareName of the profile that is to be fitted: jobs are resolved on it, whatever hardware they name
 * @throws MeshwrightError JOB_INVALID …: as of a job file; RUN_INVALID of spans that are not of the job's program
 */
export function subjectOfEvidence(evidence: MeasuredEvidence, hardwareName: string): Subject {
  if (evidence.kind === 'work') return workSubject(evidence);
  const assessor = new Assessor();
  const job = assessor.resolve({ ...evidence.job, hardware: hardwareName });
  const stepSeconds = typicalStep(evidence.stepSeconds, evidence.drift);
  const spans = evidence.kind === 'run' ? (evidence.spans as unknown as readonly TimedSpan[]) : [];
  if (spans.length > 0) joinTrial({ predicted: assessor.assessAny(job), spans, stepSeconds: [stepSeconds] });
  return { ...subjectOfRun(job, stepSeconds, spans, evidence.drift), group: evidence.group };
}

export const documentsOf = (hardware: Hardware, stack: Stack): ProfileDocuments => ({
  hardware: hardware.document,
  stack: stack.document,
});
