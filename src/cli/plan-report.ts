/** What `plan` says of each plan it found: its simulation, what bounds it, what it spends its time on, and why it is there. */
import type { Job } from '../job/index.js';
import { formatPlan } from '../job/index.js';
import type { FrameworkName, FrameworkSettings, PlanPart } from '../planner/index.js';
import { describePlan, explain, nameBeside, settingsFor } from '../planner/index.js';
import type { Bounds } from '../../sim/index.js';
import { boundsOf, pipelineBounds } from '../../sim/index.js';
import { flops, formatPercent, formatSeconds, seconds } from '../units.js';
import type { Assessor, JobSimulation, PredictedSimulation } from './assess.js';
import { isOfPipeline } from './assess.js';
import { partsOfStep } from './simulation-view.js';

/** A plan that a search simulated. */
export interface FoundPlan {
  readonly job: Job;
  readonly figures: JobSimulation;
}

/** One that is shown. */
export interface PredictedPlan extends FoundPlan {
  readonly figures: PredictedSimulation;
}

export const predictedPlan = (assessor: Assessor, { job, figures }: FoundPlan): PredictedPlan => ({
  job,
  figures: assessor.predicted(job, figures),
});

export interface PlanReport extends PredictedPlan {
  readonly rank: number;
  /** In the short form. */
  readonly plan: string;
  /** What it spends its time on, and why it beats the next. */
  readonly why: string;
  /** What the step is made of, longest first, in seconds. */
  readonly breakdown: Readonly<Record<string, number>>;
  readonly bounds: Bounds;
  /** The largest bound over the step time: 1 where nothing could be faster. */
  readonly boundShare: number;
  /** What limits it most, in words. */
  readonly bottleneck: string;
}

const LIMITED_BY = {
  compute: 'arithmetic: matmuls at peak rate',
  memory: 'memory: its traffic at peak rate',
  network: 'the network: sending at peak rate',
} as const;

function bottleneckOf(figures: JobSimulation, bounds: Bounds): string {
  const time = (value: number): string => formatSeconds(seconds(value));
  const share = (value: number): string => formatPercent(value / figures.stepTimeSeconds, 0);
  const limit = `${LIMITED_BY[bounds.limit]} would take ${time(bounds.seconds)}, ${share(bounds.seconds)} of the step`;
  const [loss] = partsOfStep(figures).filter(([name]) => name !== 'matmuls');
  return loss === undefined || loss[1] <= 0 ? limit : `${limit}; most beside matmuls is ${loss[0]}, ${time(loss[1])}`;
}

/** What it spends its time on, and why it beats the next. */
export const whyOf = ({ job, figures }: FoundPlan, next: FoundPlan | undefined): string =>
  explain(figures, next && { plan: nameBeside(job.plan, next.job.plan), figures: next.figures });

/** @param next the plan after it, of which more may be known than is shown */
export function reportPlan(
  assessor: Assessor,
  { job, figures }: FoundPlan,
  rank: number,
  next: FoundPlan | undefined,
): PlanReport {
  const assessment = assessor.assessAny(job);
  const modelFlops = flops(figures.modelFlops);
  const bounds = isOfPipeline(assessment)
    ? pipelineBounds(assessment.execution, assessment.machine, modelFlops)
    : boundsOf(assessment.program, assessment.machine, modelFlops);
  return {
    rank,
    ...predictedPlan(assessor, { job, figures }),
    plan: formatPlan(job.plan),
    why: whyOf({ job, figures }, next),
    breakdown: Object.fromEntries(partsOfStep(figures)),
    bounds,
    boundShare: bounds.seconds / figures.stepTimeSeconds,
    bottleneck: bottleneckOf(figures, bounds),
  };
}

/** The winner in words that need no acquaintance with plans, and in those of other frameworks. */
export interface WinnerWords {
  readonly parts: readonly PlanPart[];
  readonly settings: Readonly<Partial<Record<FrameworkName, FrameworkSettings>>>;
}

export const winnerWords = ({ job, figures }: FoundPlan, frameworks: readonly FrameworkName[]): WinnerWords => ({
  parts: describePlan(job, figures),
  settings: Object.fromEntries(frameworks.map((name) => [name, settingsFor(name, job)])),
});
