import { join } from 'node:path';
import { copyVersion } from '../../calibrate/index.js';
import { MeshwrightError, unreachable } from '../../errors.js';
import { formatJob, formatPlan, mergeJobs } from '../../job/index.js';
import type { Job, JobInput } from '../../job/index.js';
import { findModel } from '../../models/index.js';
import type { FamilyName } from '../../runtime/index.js';
import type { Evaluation, StepMetrics, TrainEvent, TrainReport } from '../../train/index.js';
import { openDataset, openJobData, stepsOf } from '../../train/index.js';
import type { EvaluationWords } from '../../tui/services.js';
import { bytes, formatBytes, formatPercent, formatSeconds, seconds } from '../../units.js';
import type { AnyAssessment } from '../assess.js';
import { Assessor, stackOf } from '../assess.js';
import { comparePlan, predictedFigures, writeRunFiles } from '../comparison.js';
import { describeStraggler, printComparison } from '../comparison-view.js';
import { requireFamily } from '../devices.js';
import { describeDrift, driftOf, keepTrial } from '../feedback.js';
import { runJob, saveProfile } from '../experiment.js';
import { interruptible } from '../interrupt.js';
import { localHardware, localName, whyNoPrediction } from '../local-profile.js';
import { omit } from '../../omit.js';
import type { CheckpointInterval, JobFlags } from '../options.js';
import { jobInput } from '../options.js';
import { printJson, printLine } from '../output.js';
import { createProgress } from '../progress.js';
import type { Resumption } from '../resume.js';
import { findCheckpoint, jobFileOf, stepToGoOnFrom } from '../resume.js';
import type { Ahead } from '../room.js';
import { requireRoom, requireWritable } from '../room.js';
import { stragglersOf } from '../run-report.js';
import type { MadeFolder } from '../run-folder.js';
import { createFreeRunFolder, createRunFolder, requireFree } from '../run-folder.js';
import type { Hold } from '../run-lock.js';
import { holdingRuns } from '../run-lock.js';
import { writeText } from '../../whole-file.js';
import { describeHardware, hardwareVersion, versionOf, withStoredHardware } from '../stored-hardware.js';
import type { Trial } from '../trial.js';

export interface TrainFlags extends JobFlags {
  readonly images?: string;
  readonly text?: string;
  readonly epochs?: number;
  readonly steps?: number;
  readonly seed?: number;
  readonly family?: FamilyName;
  readonly run?: string;
  readonly monitor?: number;
  readonly resume?: string;
  readonly checkpointEvery?: CheckpointInterval;
  readonly keepCheckpoints?: number;
}

/** What changes neither what a run computes nor how, so that it can go on in its own folder with another. */
const FREE_FLAGS: readonly (keyof TrainFlags)[] = ['steps', 'epochs', 'monitor', 'checkpointEvery', 'keepCheckpoints'];
const OTHER_FLAGS: readonly (keyof TrainFlags)[] = ['resume', 'run', 'json'];

/** What the demo and the UI train on where there are no images: 6 shapes × 4 textures × 6 colours, the first twelve. */
export const DRAWN_IMAGES = {
  classCount: 12,
  trainImagesPerClass: 64,
  heldOutImagesPerClass: 16,
  imageSize: 64,
  seed: 0,
};

/** What the UI trains a decoder on where there is no text: some 3,000 lines. */
export const WRITTEN_TEXT = { bytes: 2 ** 17, seed: 0 };

/** Steps at the start that are trained but not timed. */
export const UNTIMED_STEPS = 4;

/** The classifier gets as many classes as the images have, unless the job says how many. */
export async function fitClasses(input: JobInput): Promise<JobInput> {
  const folder = input.training?.images;
  const { model } = input;
  if (folder === undefined || model === undefined) return input;
  const settings = typeof model === 'string' ? { preset: model } : model;
  if (settings.classes !== undefined || findModel(settings.preset).family !== 'vit') return input;
  const { train } = await openDataset(folder);
  return { ...input, model: { ...settings, name: settings.name ?? settings.preset, classes: train.classes.length } };
}

/** @throws MeshwrightError where the job is for chips that this machine is not */
export function requireLocal({ hardware }: Job): void {
  if (hardware.topology.kind === 'shared-memory') return;
  throw new MeshwrightError('JOB_INVALID', {
    place: 'hardware',
    expected: 'a profile of this machine (of kind shared-memory)',
    got: `${hardware.name}, of kind ${hardware.topology.kind}`,
    hint: 'train with --hardware local; simulate answers for other hardware',
  });
}

/** @throws MeshwrightError PLAN_DOES_NOT_FIT: the ranks would end in the middle of allocating */
export function requireFits({ job, simulation }: AnyAssessment): void {
  if (simulation.fits) return;
  throw new MeshwrightError('PLAN_DOES_NOT_FIT', {
    place: formatPlan(job.plan),
    expected: `at most ${formatBytes(bytes(simulation.memoryCapacityBytesPerChip))} on each device`,
    got: formatBytes(bytes(simulation.peakMemoryBytesPerChip)),
    hint: 'use a smaller model or batch, more microbatches, or rematerialization',
  });
}

/** Writes `job.yaml` and the profile it is predicted by, so that the run can be read without anything around it. */
export function writeJob(folder: string, job: Job): void {
  const hardwareName = saveProfile({ hardware: job.hardware.document, stack: stackOf(job).document }, folder);
  const version = versionOf(job);
  if (version !== undefined) copyVersion(version, folder);
  writeText(folder, 'job.yaml', formatJob({ ...job, hardwareName }, folder));
}

const precise = (value: number | null | undefined): string => (value == null ? 'not finite' : value.toPrecision(4));

/** A step's figures on one line. @param looked the last step whose gradients and attention logits were looked at */
function figuresOf(metrics: StepMetrics, looked: StepMetrics | undefined): string {
  const time = (value: number): string => formatSeconds(seconds(value));
  const { loss, learningRate, stepTimeSeconds, tokensPerSecond, mfu } = metrics;
  return [
    `loss ${loss.toFixed(4)}`,
    `learning rate ${learningRate.toExponential(1)}`,
    ...(looked === undefined
      ? []
      : [`gradient norm ${precise(looked.gradientNorm)}`, `largest logit ${precise(looked.largestAttentionLogit)}`]),
    time(stepTimeSeconds),
    `${tokensPerSecond.toFixed(0)} tokens/s`,
    `MFU ${formatPercent(mfu)}`,
    `exposed ${time(metrics.worstExposedCommunicationSeconds)}`,
    `stall ${time(metrics.inputStallSeconds)}`,
  ].join('  ');
}

/** Progress of a run: a bar on a terminal, a line now and then elsewhere. */
export function trainReporter(quiet: boolean): { onEvent(event: TrainEvent): void; end(): void } {
  let bar: ReturnType<typeof createProgress> | undefined;
  // Of the last step that was looked at.
  let looked: StepMetrics | undefined;
  let isFirst = true;
  return {
    onEvent(event) {
      if (event.kind === 'skipped') process.stderr.write(`skipped ${event.image.path}: ${event.image.reason}\n`);
      if (quiet) return;
      // After the steps there is nothing else to see of what takes long: an evaluation, steps that are made again.
      if (event.kind === 'phase' && !isFirst) {
        bar?.end();
        bar = undefined;
        if (process.stderr.isTTY) process.stderr.write(`${event.text}\n`);
        else printLine(event.text);
      }
      if (event.kind === 'step') {
        const { metrics, steps } = event;
        if (metrics.gradientNorm !== undefined) looked = metrics;
        // A run that is gone on with has steps behind it.
        const made = isFirst ? metrics.step : 1;
        if (process.stderr.isTTY)
          (bar ??= createProgress('steps', false, steps)).advance(made, figuresOf(metrics, looked));
        else if (isFirst || metrics.step === steps || metrics.step % Math.ceil(steps / 10) === 0)
          printLine(`step ${metrics.step}/${steps}  ${figuresOf(metrics, looked)}`);
        isFirst = false;
      }
    },
    end: () => bar?.end(),
  };
}

/** The mean loss of the first few steps and of as many last ones. */
export const summarizeLoss = ({ made: { count, first, last } }: TrainReport): string => {
  const few = Math.max(1, Math.min(first.length, Math.floor(count / 2)));
  const mean = (part: readonly StepMetrics[]) => part.reduce((total, { loss }) => total + loss, 0) / part.length;
  return `loss ${mean(first.slice(0, few)).toFixed(4)} → ${mean(last.slice(-few)).toFixed(4)}`;
};

/** How a model does on what was held out, beside what takes no model. */
export function describeEvaluation(evaluation: Evaluation): EvaluationWords {
  switch (evaluation.of) {
    case 'images': {
      const { accuracy, chance } = evaluation;
      return { what: 'accuracy', value: formatPercent(accuracy), baseline: `chance ${formatPercent(chance)}` };
    }
    case 'text': {
      const { perplexityPerByte, byteEntropyNatsPerByte } = evaluation;
      const baseline = `${Math.exp(byteEntropyNatsPerByte).toFixed(2)} by frequency alone`;
      return { what: 'perplexity', value: `${perplexityPerByte.toFixed(2)} a byte`, baseline };
    }
    default:
      return unreachable(evaluation);
  }
}

export function summarizeEvaluation(evaluation: Evaluation): string {
  const { what, value, baseline } = describeEvaluation(evaluation);
  return `held-out ${what} ${value} (${baseline})`;
}

/** The job that a file, or that of the run which is gone on with, and flags describe. */
async function trainingInput(
  file: string | undefined,
  flags: TrainFlags,
  resumed: Resumption | undefined,
): Promise<JobInput> {
  const { images, text, epochs, steps, seed, family, monitor, checkpointEvery, keepCheckpoints: keep } = flags;
  const base = jobInput(file ?? (resumed === undefined ? undefined : jobFileOf(resumed)), flags);
  const before = base.training?.checkpoint;
  const every = checkpointEvery ?? { everySteps: before?.everySteps, everySeconds: before?.everySeconds };
  const checkpoint = given({ ...every, keep: keep ?? before?.keep });
  // Either of steps and epochs says how long it takes: of a run's own job the one that isn't asked for is left behind.
  const length = epochs === undefined ? {} : { steps: undefined };
  const training = {
    ...length,
    ...given({ images, text, epochs, steps, seed, family, monitor }),
    ...(Object.keys(checkpoint).length > 0 ? { checkpoint } : {}),
  };
  const merged = mergeJobs(base, { training });
  const isRemeshed = file === undefined && resumed !== undefined && flags.chips === undefined;
  // The mesh says how many.
  return fitClasses(isRemeshed && (flags.mesh ?? flags.plan) !== undefined ? omit(merged, 'chips') : merged);
}

const given = (settings: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));

/** Whether a run goes on in its own folder: from its newest checkpoint and with its own job, but for how long it takes. */
function goesOn(file: string | undefined, flags: TrainFlags, { isNewest }: Resumption): boolean {
  const allowed: readonly string[] = [...FREE_FLAGS, ...OTHER_FLAGS];
  const changes = Object.keys(given({ ...flags })).filter((name) => !allowed.includes(name));
  return isNewest && file === undefined && flags.run === undefined && changes.length === 0;
}

/**
 * The checkpoint to go on from. Where its run goes on in its own folder that is this process' from here on: one that is under
 * way replaces its checkpoints.
 */
function findResumption(path: string, file: string | undefined, flags: TrainFlags, hold: Hold): Resumption {
  const found = findCheckpoint(path);
  if (found.runFolder === undefined || !goesOn(file, flags, found)) return found;
  requireWritable(found.runFolder);
  hold(found.runFolder);
  // Whoever had it may have written another one meanwhile.
  return findCheckpoint(path);
}

/** A new folder with the job, of this process alone; none is left where that can't be written. */
function createFolder(job: Job, flags: TrainFlags, hold: Hold): MadeFolder {
  const made =
    flags.run === undefined
      ? createFreeRunFolder(join('runs', job.model.name))
      : { folder: flags.run, takeBack: createRunFolder(flags.run, '--run') };
  try {
    hold(made.folder);
    writeJob(made.folder, job);
    return made;
  } catch (error) {
    made.takeBack();
    throw error;
  }
}

/** The folder of a run, with its job. */
function prepareFolder(
  job: Job,
  file: string | undefined,
  flags: TrainFlags,
  resumed: Resumption | undefined,
  ahead: Ahead,
  hold: Hold,
): MadeFolder {
  if (resumed?.runFolder !== undefined && goesOn(file, flags, resumed)) {
    requireRoom(resumed.runFolder, job, ahead);
    if (FREE_FLAGS.some((name) => flags[name] !== undefined)) writeJob(resumed.runFolder, job);
    return { folder: resumed.runFolder, takeBack: () => undefined };
  }
  if (flags.run !== undefined) requireFree(flags.run, '--run');
  requireRoom(flags.run ?? 'runs', job, ahead);
  return createFolder(job, flags, hold);
}

/** What is wrong with the input may only show when work begins: then no folder is left of a run that made no step. */
async function orTakeBack<T>(takeBack: () => void, hasStepped: () => boolean, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof MeshwrightError && error.exitStatus === 2 && !hasStepped()) takeBack();
    throw error;
  }
}

/** `meshwright train`: executes a job on this machine's devices and compares it with its prediction. */
export const train = (file: string | undefined, flags: TrainFlags): Promise<void> =>
  holdingRuns((hold) => trainHolding(file, flags, hold));

async function trainHolding(file: string | undefined, flags: TrainFlags, hold: Hold): Promise<void> {
  const resumed = flags.resume === undefined ? undefined : findResumption(flags.resume, file, flags, hold);
  const input = await trainingInput(file, flags, resumed);
  const assessor = new Assessor();
  const job = assessor.resolve(
    withStoredHardware({ ...input, hardware: input.hardware ?? localHardware(input.training?.family) }),
  );
  requireLocal(job);
  await requireFamily(job);
  const data = await openJobData(job);
  const step = resumed === undefined ? 0 : stepToGoOnFrom(resumed, job, data);
  const predicted = assessor.assessAny(job);
  requireFits(predicted);
  const unpredicted = whyNoPrediction(job);
  const ahead = { steps: stepsOf(job, data) - step, stepSeconds: predictedFigures(predicted).stepTimeSeconds };
  const { folder, takeBack } = prepareFolder(job, file, flags, resumed, ahead, hold);
  if (!flags.json) {
    if (resumed !== undefined) printLine(`going on after step ${step}, from ${resumed.checkpoint}`);
    printLine(`run folder ${folder}`);
    const { stepTimeSeconds, mfu } = predictedFigures(predicted);
    printLine(
      unpredicted === undefined
        ? `predicted: ${formatSeconds(seconds(stepTimeSeconds))} a step, MFU ${formatPercent(mfu)}, on ${describeHardware(job)}`
        : `no prediction: ${unpredicted}`,
    );
  }
  const reporter = trainReporter(flags.json === true);
  let hasStepped = false;
  const onEvent = (event: TrainEvent): void => {
    hasStepped ||= event.kind === 'step';
    reporter.onEvent(event);
  };
  const work = (signal: AbortSignal) => {
    const settings = { untimedSteps: UNTIMED_STEPS, evaluate: true, runFolder: folder };
    const resume = resumed === undefined ? {} : { resume: resumed.checkpoint };
    return orTakeBack(
      takeBack,
      () => hasStepped,
      () => runJob(predicted, { ...settings, ...resume }, onEvent, signal),
    );
  };
  const { report, interrupted } = await interruptible(work, reporter.end);
  const trial: Trial = { predicted, spans: report.spans, stepSeconds: report.stepSeconds };
  const row = comparePlan(trial);
  const stragglers = stragglersOf(writeRunFiles(folder, trial, [row], report).ranks);
  const kept = keepTrial(trial, folder, stragglers);
  const drift = driftOf(job);
  if (flags.json) {
    printJson({
      schema: 'meshwright/run@1',
      runFolder: folder,
      hardware: job.hardware.name,
      hardwareVersion: hardwareVersion(job),
      resumedAfterStep: resumed === undefined ? null : step,
      steps: report.made.count,
      last: report.made.last.at(-1),
      checkpoint: report.checkpoint ?? null,
      skipped: report.skipped,
      evaluation: report.evaluation ?? null,
      noPrediction: unpredicted ?? null,
      comparison: row,
      stragglers,
      evidence: kept,
      drift,
    });
  } else {
    printLine();
    printLine(summarizeLoss(report));
    if (report.evaluation) printLine(summarizeEvaluation(report.evaluation));
    if (report.checkpoint) printLine(`checkpoint ${report.checkpoint.path}`);
    if (report.skipped.length > 0) printLine(`${report.skipped.length} images could not be decoded and were skipped`);
    printLine();
    printComparison([row]);
    for (const one of stragglers) printLine(describeStraggler(one));
    if ('notKept' in kept) printLine(`Not added to the evidence of ${kept.profile}: ${kept.notKept}`);
    if (drift !== null) printLine(describeDrift(drift, describeHardware(job)));
    if (unpredicted !== undefined) printLine(`This error says nothing: ${unpredicted}.`);
    else if (job.hardwareName === localName(job.training.family))
      printLine(
        'The shipped profile is not of this machine: meshwright profile measures it, meshwright calibrate corrects it by the runs that are kept.',
      );
  }
  if (interrupted !== undefined) throw interrupted;
}
