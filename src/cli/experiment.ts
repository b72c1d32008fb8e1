/** Prediction against measurement on this machine: run a job, join it with its simulation, calibrate, predict again. */
import { existsSync, mkdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import type { MeasureEvent, Profile } from '../calibrate/index.js';
import { fitProfile, fittedWithout, resolveProfile } from '../calibrate/index.js';
import { formatProfile, loadHardware } from '../hardware/index.js';
import type { Job } from '../job/index.js';
import { jobToInput } from '../job/index.js';
import { MeshwrightError } from '../errors.js';
import { runInChild } from '../runtime/index.js';
import { listCheckpoints } from '../train/index.js';
import type { Timing, TrainControl, TrainEvent, TrainReport } from '../train/index.js';
import type { AnyAssessment } from './assess.js';
import { Assessor, isOfPipeline, stackOf } from './assess.js';
import type { Train, Turns } from './child-requests.js';
import type { ProfilingRequest } from './profiling.js';
import { measureBlocks, probesFor, profileFrom, today } from './profiling.js';
import { howToGoOn } from './interrupt.js';
import { writeText } from '../whole-file.js';
import { documentsOf, subjectOfTrial } from './subjects.js';
import type { Trial } from './trial.js';

const HOST = new URL('./child-host.js', import.meta.url);

export interface RunSettings {
  readonly untimedSteps: number;
  readonly evaluate: boolean;
  /** See `SessionOptions`. */
  readonly runFolder?: string;
  readonly resume?: string;
  /** See `TrainOptions`. */
  readonly timelineEverySeconds?: number;
}

/** Where there is nothing to save: measuring, and before the first step. */
const SECONDS_WITHOUT_A_STEP = 1;

/**
 * Trains a job in a process of its own; a pipeline follows the schedule that was simulated.
 *
 * @param onStarted gets what asks something of the run as it goes
 * @throws MeshwrightError that says how to go on where the run failed, and has a checkpoint
 */
export async function runJob(
  predicted: AnyAssessment,
  settings: RunSettings,
  onEvent: (event: TrainEvent) => void,
  signal: AbortSignal,
  onStarted?: (ask: (control: TrainControl) => void) => void,
): Promise<TrainReport> {
  const args = { ...settings, ...sent(predicted) };
  let hasStepped = false;
  const follow = (event: TrainEvent): void => {
    hasStepped ||= event.kind === 'step';
    onEvent(event);
  };
  try {
    return await runInChild<Train>(
      HOST,
      { kind: 'train', args },
      {
        onEvent: follow,
        ...(onStarted === undefined ? {} : { onStarted }),
        signal,
        // A step and a checkpoint take as long as they take; ranks that hang are found by who runs them.
        graceSeconds: () => (hasStepped ? Infinity : SECONDS_WITHOUT_A_STEP),
        poolThreads: predicted.job.chips + 4,
        family: predicted.job.training.family,
        neededBytes: neededBytes(predicted),
      },
    );
  } catch (error) {
    throw sayingWhatIsSafe(error, settings);
  }
}

/** An error that ended a run, with its newest checkpoint if it has one. */
function sayingWhatIsSafe(error: unknown, { runFolder, resume }: RunSettings): unknown {
  if (!(error instanceof MeshwrightError) || error.exitStatus !== 1 || runFolder === undefined) return error;
  const newest = newestIn(runFolder);
  const goOn =
    newest !== undefined
      ? howToGoOn(newest)
      : resume === undefined
        ? 'no checkpoint of the run was written yet'
        : `${resume} is as it was`;
  const { code, detail } = error;
  const hint = detail.hint === undefined ? goOn : `${detail.hint}; ${goOn}`;
  return new MeshwrightError(code, { ...detail, hint }, { cause: error });
}

/** Nothing where the folder can't be read, which is not what the run ended of. */
function newestIn(runFolder: string) {
  try {
    return listCheckpoints(runFolder).at(-1);
  } catch {
    return undefined;
  }
}

/** At the peak, on all ranks. */
const neededBytes = ({ job, simulation }: AnyAssessment): number => job.chips * simulation.peakMemoryBytesPerChip;

/** The job as it goes to another process, with the schedule that was simulated. */
function sent(predicted: AnyAssessment) {
  const schedule = isOfPipeline(predicted) ? { schedule: predicted.execution.times.schedule } : {};
  return { ...schedule, job: jobToInput(predicted.job) };
}

/** Times jobs side by side in one process of their own; see `trainInTurns`. */
export function runInTurns(
  predicted: readonly AnyAssessment[],
  settings: { readonly turns: number; readonly stepsPerTurn: number },
  onTurn: (turn: number) => void,
  signal: AbortSignal,
): Promise<Timing[]> {
  const args = { ...settings, jobs: predicted.map(sent) };
  const ranks = predicted.reduce((total, { job }) => total + job.chips, 0);
  return runInChild<Turns>(
    HOST,
    { kind: 'turns', args },
    {
      onEvent: onTurn,
      signal,
      graceSeconds: () => SECONDS_WITHOUT_A_STEP,
      poolThreads: ranks + 4,
      family: predicted[0]!.job.training.family,
      neededBytes: predicted.reduce((total, one) => total + neededBytes(one), 0),
    },
  );
}

/** Beside a demonstration or a training: less than `meshwright profile` takes. */
const BRIEF_SECONDS = 24;

/**
 * Measures this machine's devices at the shapes of the jobs' programs, briefly, and writes `profile.yaml` and
 * `stack.yaml`.
 *
 * @returns the path of the hardware profile
 */
export async function writeProfile(
  jobs: readonly Job[],
  folder: string,
  onText: (text: string) => void,
  signal: AbortSignal,
): Promise<string> {
  const [first] = jobs as [Job, ...Job[]];
  const { family, threadsPerRank } = first.training;
  const request: ProfilingRequest = {
    family,
    threadsPerRank,
    ranks: [...new Set([1, Math.min(first.chips, availableParallelism()), first.chips])].sort((a, b) => a - b),
    probes: probesFor(jobs),
    seconds: BRIEF_SECONDS,
    file: join(folder, 'measurement.jsonl'),
    resume: false,
  };
  const onEvent = (event: MeasureEvent, of: number): void =>
    onText(event.kind === 'phase' ? event.text : `block ${event.block.block + 1} of ${of}`);
  const measured = await measureBlocks(request, onEvent, signal);
  // What is measured first of a machine stays beside its runs: its peak is what MFU is relative to in all of them.
  const firstFolder = join(dirname(folder), 'this-machine');
  const known = existsSync(join(firstFolder, 'profile.yaml'));
  const hardwareName = known ? join(firstFolder, 'profile.yaml') : first.hardwareName;
  const hardware = known ? loadHardware(hardwareName) : first.hardware;
  const stack = stackOf({ hardware, hardwareName });
  const base = { hardware: hardware.document, stack: stack.document, isFirst: !known };
  const profile = profileFrom(measured, request, base);
  if (!known) saveProfile(profile, firstFolder);
  return saveProfile(profile, folder);
}

export function saveProfile(profile: Profile, folder: string): string {
  mkdirSync(folder, { recursive: true });
  writeText(folder, 'profile.yaml', formatProfile({ ...profile.hardware, defaultStack: './stack.yaml' }));
  writeText(folder, 'stack.yaml', formatProfile(profile.stack));
  return join(folder, 'profile.yaml');
}

export interface TrialsFit {
  /** The profile fitted to all of them. */
  readonly profile: Profile;
  /** Each trial as a profile predicts it that is fitted to the others; nothing of one that is alone. */
  readonly repredicted: readonly (AnyAssessment | undefined)[];
}

/** Calibrates on trials of jobs that name one profile. */
export function fitTrials(trials: readonly Trial[]): TrialsFit {
  const [{ job }] = trials.map(({ predicted }) => predicted) as [AnyAssessment];
  const subjects = trials.map(subjectOfTrial);
  const documents = documentsOf(job.hardware, stackOf(job));
  const source = `calibrated on ${subjects.map(({ title }) => title).join('; ')}, ${today()}`;
  const fit = fitProfile(documents, subjects, source);
  const repredicted = trials.map(({ predicted }, index) => {
    const others = subjects.filter(({ group }) => group !== subjects[index]!.group);
    if (others.length === 0) return undefined;
    const { hardware, stack } = resolveProfile(fittedWithout(fit, documents, subjects, index, source));
    return new Assessor().assessAny({ ...predicted.job, hardware }, stack);
  });
  return { profile: fit.documents, repredicted };
}
