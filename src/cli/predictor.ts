/** A job's step as different profiles predict it: its program is lowered once. */
import type { MeasuredOp, PredictedRun, ResolvedProfile } from '../calibrate/index.js';
import type { Job } from '../job/index.js';
import { isPipeline, layoutOf } from '../job/index.js';
import type { Program } from '../program/index.js';
import type { TimedSpan } from '../trace/index.js';
import { simulatedSpans } from '../trace/index.js';
import { createMachine, execute, toSeconds } from '../../sim/index.js';
import { Assessor, lowerFor } from './assess.js';
import { predictedSpans, predictedStepSeconds } from './trial.js';

const opIdOf = (spanId: string): string => spanId.split('@')[0]!;

/** What ops add to a step, all their runs together. */
export function exposedByOp(spans: readonly TimedSpan[]): Map<string, number> {
  const found = new Map<string, number>();
  for (const { id, kind, exposedSeconds } of spans) {
    if (kind === 'host') continue;
    const opId = opIdOf(id);
    found.set(opId, (found.get(opId) ?? 0) + exposedSeconds);
  }
  return found;
}

/** Measured spans as what they are of. @param drift what times are divided by */
export function measuredOps(spans: readonly TimedSpan[], drift = 1): MeasuredOp[] {
  const exposed = exposedByOp(spans);
  const first = new Map(spans.filter(({ kind }) => kind !== 'host').map((span) => [opIdOf(span.id), span]));
  return [...first].map(([opId, { kind, name, phase }]) => ({
    opId,
    kind: kind === 'collective' ? `${name} (${phase})` : `${phase} kernels`,
    exposedSeconds: exposed.get(opId)! / drift,
  }));
}

/** @returns what predicts the job's step by a profile; a stack that lowers it otherwise is not asked for */
export function predictorOf(job: Job): (profile: ResolvedProfile) => PredictedRun {
  if (isPipeline(job.plan)) {
    return ({ hardware, stack }) => {
      const predicted = new Assessor().assessAny({ ...job, hardware }, stack);
      return { stepSeconds: predictedStepSeconds(predicted), exposed: exposedByOp(predictedSpans(predicted)) };
    };
  }
  let program: Program | undefined;
  return ({ hardware, stack }) => {
    program ??= lowerFor(job, stack);
    const machine = createMachine({
      hardware,
      mesh: job.plan.mesh,
      hostLinks: job.plan.optimizerOffload !== 'none',
      ...layoutOf(job.plan),
    });
    const { duration, trace } = execute(program, machine, stack);
    return { stepSeconds: toSeconds(duration), exposed: exposedByOp(simulatedSpans(trace)) };
  };
}
