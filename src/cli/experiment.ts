/** Prediction against measurement on this machine: run a job, join it with its simulation, calibrate, predict again. */
import { existsSync, mkdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { median } from 'simple-statistics';
import type { Evidence, EvidenceSpan, MatmulProbe, Profile } from '../calibrate/index.js';
import { calibrate, largestActivation, matmulProbes, messagesOf, profileDevices } from '../calibrate/index.js';
import type { Hardware, MatmulDType, Stack } from '../hardware/index.js';
import { formatProfile, loadHardware, parseHardware, parseStack } from '../hardware/index.js';
import type { Job } from '../job/index.js';
import { formatPlan, jobToInput, lowerJob } from '../job/index.js';
import { axisSize } from '../mesh/index.js';
import type { Attributes, CollectiveName, Program } from '../program/index.js';
import { forEachOp, isCollective } from '../program/index.js';
import { runInChild } from '../runtime/index.js';
import type { TimedSpan } from '../trace/index.js';
import { joinSpans, simulatedSpans } from '../trace/index.js';
import type { JoinedSpan } from '../trace/index.js';
import type { Timing, TrainEvent, TrainReport } from '../train/index.js';
import type { Assessment } from './assess.js';
import { Assessor, stackOf } from './assess.js';
import type { Measure, Train, Turns } from './child-requests.js';
import { writeText } from './run-folder.js';

const HOST = new URL('./child-host.js', import.meta.url);

export interface RunSettings {
  readonly untimedSteps: number;
  readonly evaluate: boolean;
  readonly metricsFile?: string;
}

/** Trains a job in a process of its own. */
export function runJob(
  job: Job,
  settings: RunSettings,
  onEvent: (event: TrainEvent) => void,
  signal: AbortSignal,
): Promise<TrainReport> {
  const args = { ...settings, job: jobToInput(job) };
  return runInChild<Train>(
    HOST,
    { kind: 'train', args },
    { onEvent, signal, graceSeconds: 30, poolThreads: job.chips + 4 },
  );
}

/** Times jobs side by side in one process of their own; see `trainInTurns`. */
export function runInTurns(
  jobs: readonly Job[],
  settings: { readonly turns: number; readonly stepsPerTurn: number },
  onTurn: (turn: number) => void,
  signal: AbortSignal,
): Promise<Timing[]> {
  const args = { ...settings, jobs: jobs.map((job) => jobToInput(job)) };
  const ranks = jobs.reduce((total, { chips }) => total + chips, 0);
  return runInChild<Turns>(
    HOST,
    { kind: 'turns', args },
    { onEvent: onTurn, signal, graceSeconds: 30, poolThreads: ranks + 4 },
  );
}

const MEASURING_ROUNDS = 21;

/** Large and square, so that a machine's peak does not depend on the model that it was first measured with. */
const LARGE_MATMUL: MatmulProbe = {
  name: 'matmul',
  attributes: { transposeA: false, transposeB: false, scale: 1 },
  shapes: [
    [1024, 1024],
    [1024, 1024],
  ],
};

/**
 * Measures this machine's devices at the shapes of the jobs' programs and writes `profile.yaml` and `stack.yaml`.
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
  const dtype = first.precision.compute as MatmulDType;
  const { family, threadsPerRank } = first.training;
  const programs = jobs.map((job) => lowerJob(job));
  // More ranks than cores would measure how they take turns, which the machine's model adds to what is measured here.
  const ranks = Math.min(first.chips, availableParallelism());
  const args = {
    ranks,
    family,
    threadsPerRank,
    dtype,
    matmuls: [LARGE_MATMUL, ...matmulProbes(programs)],
    elements: largestActivation(programs),
    rounds: MEASURING_ROUNDS,
  };
  const measured = await runInChild<Measure>(
    HOST,
    { kind: 'measure', args },
    { onEvent: onText, signal, poolThreads: ranks + 4 },
  );
  const source = `${family} on ${ranks} ranks × ${threadsPerRank} thread at once, first quartile of ${MEASURING_ROUNDS} rounds, ${today()}`;
  // What is measured first of a machine stays beside its runs: its peak is what MFU is relative to in all of them.
  const firstFolder = join(dirname(folder), 'this-machine');
  const known = existsSync(join(firstFolder, 'profile.yaml'));
  const base = known ? loadHardware(join(firstFolder, 'profile.yaml')) : first.hardware;
  const profile = profileDevices(base, stackOf(first), dtype, measured, source, './stack.yaml', !known);
  if (!known) saveProfile(profile, firstFolder);
  return saveProfile(profile, folder);
}

/** The day, for sources of numbers. */
export const today = (): string => new Date().toISOString().slice(0, 10);

export function saveProfile(profile: Profile, folder: string): string {
  mkdirSync(folder, { recursive: true });
  writeText(folder, 'profile.yaml', formatProfile({ ...profile.hardware, defaultStack: './stack.yaml' }));
  writeText(folder, 'stack.yaml', formatProfile(profile.stack));
  return join(folder, 'profile.yaml');
}

/** A run beside its prediction. */
export interface Trial {
  readonly job: Job;
  readonly predicted: Assessment;
  readonly spans: readonly TimedSpan[];
  readonly stepSeconds: readonly number[];
}

export const measuredStepSeconds = ({ stepSeconds }: Trial): number => median([...stepSeconds]);
export const measuredMfu = (trial: Trial): number =>
  (trial.predicted.simulation.mfu * trial.predicted.simulation.stepTimeSeconds) / measuredStepSeconds(trial);

export const joinTrial = ({ predicted, spans }: Trial): JoinedSpan[] =>
  joinSpans(simulatedSpans(predicted.execution.trace), spans);

/** How often a rank waits for its neighbour in each collective, and whether it goes on meanwhile, by op id. */
function collectivesOf({ mesh, ops }: Program) {
  const found = new Map<string, { name: CollectiveName; messages: number; asynchronous: boolean }>();
  forEachOp(ops, ({ id, name, attributes, asynchronous = false }) => {
    if (!isCollective(name)) return;
    const { axis } = attributes as Attributes[CollectiveName];
    found.set(id, { name, messages: messagesOf(name, axisSize(mesh, axis)), asynchronous });
  });
  return found;
}

/** What a trial says of the profile it was predicted by. */
export function evidenceOf(trial: Trial): Evidence {
  const { program, execution } = trial.predicted;
  const collectives = collectivesOf(program);
  const spans = joinTrial(trial).map(
    ({ id, kind, measuredExposedSeconds: exposedSeconds, sentBytes }): EvidenceSpan => {
      const opId = id.split('@')[0]!;
      if (kind !== 'collective') return { exposedSeconds, cost: execution.kernels.get(opId)! };
      return { exposedSeconds, transfer: { bytes: sentBytes ?? 0, ...collectives.get(opId)! } };
    },
  );
  return { spans, stepSeconds: trial.stepSeconds };
}

/** The step as a profile calibrated on `trials` predicts it. */
export function predictAgain(job: Job, trials: readonly Trial[]): Assessment {
  const { hardware, stack } = calibrateOn(job, trials);
  return new Assessor().assess({ ...job, hardware }, stack);
}

export function calibrateOn(
  job: Pick<Job, 'hardware' | 'hardwareName' | 'precision'>,
  trials: readonly Trial[],
): { hardware: Hardware; stack: Stack; profile: ReturnType<typeof calibrate> } {
  const labels = trials.map(({ job: { model, plan } }) => `${model.name} ${formatPlan(plan)}`).join('; ');
  const profile = calibrate(
    job.hardware,
    stackOf(job),
    job.precision.compute as MatmulDType,
    trials.map(evidenceOf),
    `calibrated on ${labels}, ${today()}`,
  );
  return {
    hardware: parseHardware(formatProfile(profile.hardware), 'calibrated profile'),
    stack: parseStack(formatProfile(profile.stack), 'calibrated stack'),
    profile,
  };
}
