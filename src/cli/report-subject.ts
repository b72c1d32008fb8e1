/** What a report shows of a job or a run, gathered from a simulation and from the run's files. */
import { existsSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { MeshwrightError } from '../errors.js';
import type { Job, JobInput } from '../job/index.js';
import { describePlan } from '../planner/index.js';
import type { Lane, Lanes, MeasuredRun, Subject } from '../report/index.js';
import { partColour } from '../report/index.js';
import { linkUses } from '../../sim/index.js';
import type { Span } from '../trace/index.js';
import { Assessor } from './assess.js';
import type { AnyAssessment } from './assess.js';
import { isOfPipeline } from './assess.js';
import { readComparison } from './comparison.js';
import { describeStraggler } from './comparison-view.js';
import { readMeasuredSpans } from './measured-trace.js';
import { jobInput } from './options.js';
import { whyOf } from './plan-report.js';
import { readRanks } from './rank-report.js';
import { endOf, kernelMixes, lanesOf, lanesOfChip } from './report-lanes.js';
import { reportOnRun } from './run-report.js';
import type { RunReport } from './run-report.js';
import { reportOn, reportOnPipeline } from './simulation-report.js';
import { partsOfStep } from './simulation-view.js';
import { describeHardware } from './stored-hardware.js';
import { predictedTrace } from './trial.js';

/** Whether a path is a run's folder; otherwise it is a file. @throws MeshwrightError USAGE where nothing is there */
export function isRunFolder(path: string): boolean {
  if (!existsSync(path)) {
    const expected = 'a job file, the folder of a run, or what plan --json prints';
    throw new MeshwrightError('USAGE', { place: path, expected, got: 'nothing there' });
  }
  return statSync(path).isDirectory();
}

const grouped = new Intl.NumberFormat('en');

/** The names of subjects, told apart by where they come from where two are the same. */
export function distinctNames(paths: readonly string[]): string[] {
  const short = paths.map((path) => basename(path).replace(/\.ya?ml$/, ''));
  return short.map((name, index) => (short.indexOf(name) === short.lastIndexOf(name) ? name : paths[index]!));
}

/** A job as it is, and as it was given. */
export interface FoundJob {
  readonly job: Job;
  readonly input: JobInput;
}

/** @param name that tells it from the others */
export function subjectOf(path: string, name: string): FoundJob & { readonly subject: Subject } {
  const isRun = isRunFolder(path);
  // First what was measured: where that is missing there is nothing to simulate.
  const run = isRun ? runOf(path) : undefined;
  const assessor = new Assessor();
  const input = jobInput(isRun ? join(path, 'job.yaml') : path, {});
  const job = assessor.resolve(input);
  const assessment = assessor.assessAny(job);
  const { machine, simulation, execution } = assessment;
  const step = isOfPipeline(assessment)
    ? reportOnPipeline(assessor, assessment, {})
    : reportOn(assessor, assessment, {});
  const found = { job, figures: simulation };
  const spans = isRun ? readMeasuredSpans(path) : undefined;
  const hardware = describeHardware(job);
  const subject: Subject = {
    title: `${simulation.model} on ${grouped.format(simulation.chips)} × ${hardware}, batch ${grouped.format(simulation.batch)}`,
    source: path,
    name,
    hardware,
    step,
    parts: partsOfStep(simulation).map(([part, seconds]) => ({ name: part, seconds, colour: partColour(part) })),
    words: describePlan(job, simulation),
    why: whyOf(found, undefined),
    lanes: lanesOf(assessment, step.runs),
    machine,
    linkUtilization: linkUses(machine, execution.linkBytes, simulation.stepTimeSeconds).map(
      ({ utilization }) => utilization,
    ),
    ...(run === undefined ? {} : { run }),
    ...(spans === undefined ? {} : { measuredLanes: measuredLanesOf(spans, assessment) }),
  };
  return { subject, job, input };
}

function runOf(folder: string): MeasuredRun {
  const report = reportOnRun(readComparison(folder), readRanks(folder));
  return {
    plans: report.plans,
    stepSeconds: report.stepSeconds,
    steps: report.steps,
    byWork: report.waterfalls.byWork,
    ranks: report.ranks?.map((one) => ({ ...one, name: rankName(one) })) ?? null,
    stragglers: (report.stragglers ?? []).map(describeStraggler),
  };
}

function rankName({ rank, place }: NonNullable<RunReport['ranks']>[number]): string {
  const axes = Object.entries(place).map(([axis, index]) => `${axis}=${index}`);
  return `rank ${rank}${axes.length === 0 ? '' : ` (${axes.join(',')})`}`;
}

/** More are no longer told apart. */
const MOST_RANKS = 8;

/** The simulated step's rows, then each rank's. */
function measuredLanesOf(measured: readonly Span[], assessment: AnyAssessment): Lanes {
  const mixes = kernelMixes(assessment);
  const all = predictedTrace(assessment);
  const isStaged = isOfPipeline(assessment);
  const simulated = isStaged ? all : all.filter(({ rank }) => rank === all[0]!.rank);
  const ranksIn = (spans: readonly Span[]): number[] =>
    [...new Set(spans.map(({ rank }) => rank))].toSorted((a, b) => a - b);
  const lanesIn = (spans: readonly Span[], rank: number, name: string): Lane[] =>
    lanesOfChip(
      spans.filter((span) => span.rank === rank),
      mixes,
      `${name} `,
    );
  const ranks = ranksIn(measured);
  const shown = ranks.slice(0, MOST_RANKS);
  return {
    lanes: [
      ...ranksIn(simulated).flatMap((rank, stage) =>
        lanesIn(simulated, rank, isStaged ? `simulated ${stage}` : 'simulated'),
      ),
      ...shown.flatMap((rank) =>
        lanesIn(measured, rank, `rank ${rank}`).map((lane) => ({ ...lane, isMeasured: true })),
      ),
    ],
    seconds: Math.max(endOf(simulated), endOf(measured)),
    note: `The measured step is one of the run, of about the median length${shown.length < ranks.length ? `, of the first ${shown.length} of ${ranks.length} ranks` : ''}. Measured kernels have their colours in the proportion that is predicted of each.`,
  };
}
