/** A plan that is trained for the UI, by the same pieces as `meshwright train`: on a thread of its own. */
import { join } from 'node:path';
import type { MessagePort } from 'node:worker_threads';
import type { ErrorCode, ErrorDetail } from '../errors.js';
import { MeshwrightError, unreachable } from '../errors.js';
import type { Job, JobInput } from '../job/index.js';
import { checkPlan, parsePlan, resolveTask } from '../job/index.js';
import type { ModelConfig } from '../models/index.js';
import { seconds } from '../units.js';
import { timelineOfSpans } from '../trace/index.js';
import type { Span } from '../trace/index.js';
import { generateDataset, generateText } from '../train/index.js';
import type { TrainEvent } from '../train/index.js';
import type { Asked, RunControl, TaskChoice, TrainEvent as UiEvent } from '../tui/services.js';
import type { AnyAssessment } from './assess.js';
import { Assessor } from './assess.js';
import {
  describeEvaluation,
  DRAWN_IMAGES,
  fitClasses,
  requireFits,
  requireLocal,
  UNTIMED_STEPS,
  WRITTEN_TEXT,
  writeJob,
} from './commands/train.js';
import { comparePlan, predictedFigures, writeRunFiles } from './comparison.js';
import { runJob } from './experiment.js';
import { keepTrial } from './feedback.js';
import { measureMachine, profileOfTraining } from './machine-profile.js';
import { LEAST_AHEAD, requireRoom } from './room.js';
import { createFreeRunFolder } from './run-folder.js';
import type { Hold } from './run-lock.js';
import { holdingRuns } from './run-lock.js';
import { stragglersOf } from './run-report.js';
import { toJobInput } from './task-choice.js';
import type { Trial } from './trial.js';
import { predictedStepSeconds, predictedTrace } from './trial.js';

const EPOCHS = 6;
/** Between two looks at what ranks do. */
const TIMELINE_SECONDS = 0.5;

/** Makes data for a model to train on. */
async function makeData(
  { family }: ModelConfig,
  onText: (text: string) => void,
): Promise<{ readonly images: string } | { readonly text: string }> {
  switch (family) {
    case 'vit': {
      onText('drawing a small set of images');
      const images = join('runs', 'drawn-images');
      await generateDataset(images, DRAWN_IMAGES);
      return { images };
    }
    case 'decoder': {
      onText('writing a small text');
      const text = join('runs', 'written-text.txt');
      await generateText(text, WRITTEN_TEXT);
      return { text };
    }
    default:
      return unreachable(family);
  }
}

/** The plan of a search that has this label, on a profile. */
const planNamed = (input: JobInput, hardware: string, label: string): Job =>
  checkPlan(resolveTask({ ...input, hardware }), parsePlan(label));

/** This machine, measured for its first training. */
function measured(job: Job, folder: string, onEvent: (event: UiEvent) => void, signal: AbortSignal): Promise<string> {
  const measuring = 'measuring this machine';
  onEvent({ kind: 'phase', text: measuring });
  return measureMachine(job, folder, (text) => onEvent({ kind: 'phase', text: `${measuring}: ${text}` }), signal);
}

/** What is expected of the run, of one rank or of one of each stage. */
function predictionOf(predicted: AnyAssessment, news: 'this-machine' | 'data'): UiEvent {
  const { stepTimeSeconds, mfu, stepTimeInterval, mfuInterval } = predictedFigures(predicted);
  const ranks = new Map<number, Span[]>();
  for (const span of predictedTrace(predicted)) ranks.set(span.rank, [...(ranks.get(span.rank) ?? []), span]);
  const spans = [...ranks].toSorted(([a], [b]) => a - b).map(([, all]) => all);
  return {
    kind: 'predicted',
    prediction: {
      stepTimeSeconds,
      mfu,
      stepTimeInterval: stepTimeInterval ?? { p10: stepTimeSeconds, p90: stepTimeSeconds },
      mfuInterval: mfuInterval ?? { p10: mfu, p90: mfu },
    },
    timeline: timelineOfSpans(spans, seconds(predictedStepSeconds(predicted)), 0),
    news,
  };
}

function toUi(event: TrainEvent): UiEvent {
  switch (event.kind) {
    case 'step':
      return { kind: 'step', steps: event.steps, ...event.metrics };
    case 'evaluated':
      return { kind: 'evaluated', ...describeEvaluation(event.evaluation) };
    case 'skipped':
      return { kind: 'skipped', ...event.image };
    case 'checkpoint':
      return { kind: 'checkpoint', ...event.checkpoint };
    case 'phase':
    case 'not-saved':
    case 'paused':
    case 'timeline':
      return event;
  }
}

/** See `Services`. */
async function train(
  task: TaskChoice,
  label: string,
  onEvent: (event: UiEvent) => void,
  signal: AbortSignal,
  asked: Asked,
  hold: Hold,
): Promise<string> {
  const wanted = toJobInput(task);
  const { model } = resolveTask(wanted);
  // A job file may name data of its own.
  const hasData = wanted.training?.images !== undefined || wanted.training?.text !== undefined;
  const data = hasData ? {} : await makeData(model, (text) => onEvent({ kind: 'phase', text }));
  const training = { epochs: EPOCHS, ...wanted.training, ...data };
  const optimizer = { warmupSteps: 20, cooldownSteps: 20, ...wanted.optimizer };
  const input = await fitClasses({ ...wanted, training, optimizer });
  const chosen = planNamed(input, input.hardware!, label);
  requireLocal(chosen);
  requireFits(new Assessor().assessAny(chosen));
  requireRoom('runs', chosen, LEAST_AHEAD);
  const { folder } = createFreeRunFolder(join('runs', model.name));
  hold(folder);
  onEvent({ kind: 'folder', path: folder });
  const known = profileOfTraining(task.hardware, chosen);
  const hardware = known ?? (await measured(chosen, folder, onEvent, signal));
  const job = planNamed(input, hardware, label);
  writeJob(folder, job);
  const predicted = new Assessor().assessAny(job);
  onEvent(predictionOf(predicted, known === undefined ? 'this-machine' : 'data'));
  const report = await runJob(
    predicted,
    { untimedSteps: UNTIMED_STEPS, evaluate: true, runFolder: folder, timelineEverySeconds: TIMELINE_SECONDS },
    (event) => onEvent(toUi(event)),
    signal,
    (ask) => asked.listen(ask),
  );
  const trial: Trial = { predicted, spans: report.spans, stepSeconds: report.stepSeconds };
  const { ranks } = writeRunFiles(folder, trial, [comparePlan(trial)], report);
  keepTrial(trial, folder, stragglersOf(ranks));
  return folder;
}

export interface TrainRequest {
  readonly task: TaskChoice;
  readonly label: string;
  /** Gets `FromTrain`, gives `ToTrain`. */
  readonly port: MessagePort;
}

/** The last one says that there are no more. */
export type FromTrain = UiEvent | { readonly kind: 'last' };
export type ToTrain = { readonly kind: 'abort' } | { readonly kind: 'asked'; readonly control: RunControl };

/** Errors lose their class on the way between threads, so they travel as data. */
export type TrainOutcome =
  | { readonly runFolder: string }
  | { readonly code: ErrorCode; readonly detail: ErrorDetail }
  /** It ended because it was asked to, before its first step. */
  | { readonly aborted: true };

export async function trainSafely({ task, label, port }: TrainRequest): Promise<TrainOutcome> {
  const controller = new AbortController();
  const { signal } = controller;
  const waiting: RunControl[] = [];
  let hear = (control: RunControl): unknown => waiting.push(control);
  const asked: Asked = {
    listen(listener) {
      hear = listener;
      waiting.splice(0).forEach(listener);
    },
  };
  port.on('message', (message: ToTrain) => {
    if (message.kind === 'abort') controller.abort();
    else hear(message.control);
  });
  const tell = (event: FromTrain): void => port.postMessage(event);
  try {
    return { runFolder: await holdingRuns((hold) => train(task, label, tell, signal, asked, hold)) };
  } catch (error) {
    if (signal.aborted && error === signal.reason) return { aborted: true };
    if (error instanceof MeshwrightError) return { code: error.code, detail: error.detail };
    throw error;
  } finally {
    tell({ kind: 'last' });
    port.close();
  }
}
