/** The third screen: a training run on this machine. */
import type { StepTimeline } from '../../trace/index.js';
import type { PlanRow, Prediction, RunControl, TrainEvent } from '../services.js';
import type { History } from './history.js';
import { append, EMPTY_HISTORY } from './history.js';
import type { LogLine } from './log.js';
import { logged, lineOf } from './log.js';
import type { Press } from './press.js';
import { isCharacter } from './press.js';

type PredictedEvent = Extract<TrainEvent, { kind: 'predicted' }>;
export type StepEvent = Extract<TrainEvent, { kind: 'step' }>;
export type Evaluation = Extract<TrainEvent, { kind: 'evaluated' }>;

export interface TrainState {
  readonly plan: PlanRow;
  readonly status: 'running' | 'stopping' | 'stopped' | 'failed' | 'done';
  /** Between two steps, until it is asked to go on. */
  readonly isPaused: boolean;
  readonly phase: string;
  readonly prediction: Prediction;
  /** What the search had predicted of the plan, where that is something else, and what has become known since. */
  readonly before?: { readonly prediction: Prediction; readonly news: PredictedEvent['news'] };
  /** Of a predicted step, once this machine is measured. */
  readonly predictedTimeline?: StepTimeline;
  readonly timeline?: StepTimeline;
  readonly latest?: StepEvent;
  readonly loss: History;
  readonly tokensPerSecond: History;
  readonly mfu: History;
  readonly inputStall: History;
  /** Over all steps so far. */
  readonly total: { readonly seconds: number; readonly stallSeconds: number };
  /** Of the steps that are looked at. */
  readonly gradientNorm: History;
  readonly largestAttentionLogit: History;
  readonly latestLooked?: StepEvent;
  readonly evaluated?: Evaluation;
  readonly log: readonly LogLine[];
  /** All that was asked of the run so far, in order. */
  readonly asked: readonly RunControl[];
  /** One was asked for, and is not there yet. */
  readonly owesCheckpoint: boolean;
  /** Where it is written down, once it is over. */
  readonly runFolder?: string;
}

/** Of the search: it is all there is before this machine is measured. */
const predictionOf = ({ stepTimeSeconds, stepTimeInterval: { p10, p90 }, mfu }: PlanRow): Prediction => ({
  stepTimeSeconds,
  stepTimeInterval: { p10, p90 },
  mfu,
  // A step that takes longer uses the chips less.
  mfuInterval: { p10: (mfu * stepTimeSeconds) / p90, p90: (mfu * stepTimeSeconds) / p10 },
});

export const initialTrain = (plan: PlanRow): TrainState => ({
  plan,
  status: 'running',
  isPaused: false,
  phase: 'starting',
  prediction: predictionOf(plan),
  loss: EMPTY_HISTORY,
  tokensPerSecond: EMPTY_HISTORY,
  mfu: EMPTY_HISTORY,
  inputStall: EMPTY_HISTORY,
  total: { seconds: 0, stallSeconds: 0 },
  gradientNorm: EMPTY_HISTORY,
  largestAttentionLogit: EMPTY_HISTORY,
  log: [],
  asked: [],
  owesCheckpoint: false,
});

export const isUnderWay = ({ status }: TrainState): boolean => status === 'running' || status === 'stopping';

/** What is to be asked next of the pace: the last that was asked counts, though it may not have come about yet. */
export const willPause = ({ asked }: TrainState): boolean => asked.findLast((one) => one !== 'checkpoint') === 'pause';

const ask = (state: TrainState, control: RunControl): TrainState => ({ ...state, asked: [...state.asked, control] });

/** The keys of a run under way; the same state where the press is none of them. */
export function pressTrain(state: TrainState, press: Press): TrainState {
  if (state.status !== 'running') return state;
  if (isCharacter(press, 's')) return { ...state, status: 'stopping' };
  if (isCharacter(press, 'p')) return ask(state, willPause(state) ? 'go-on' : 'pause');
  const isNew = isCharacter(press, 'k') && !state.owesCheckpoint;
  return isNew ? { ...ask(state, 'checkpoint'), owesCheckpoint: true } : state;
}

export function onTrainEvent(before: TrainState, event: TrainEvent): TrainState {
  const line = lineOf(event, before.latest?.step ?? 0);
  const state = line === undefined ? before : { ...before, log: logged(before.log, line) };
  switch (event.kind) {
    case 'phase':
      return { ...state, phase: event.text };
    case 'predicted':
      return withPrediction(state, event);
    case 'timeline':
      return { ...state, timeline: event.timeline };
    case 'checkpoint':
    case 'not-saved':
      return { ...state, owesCheckpoint: false };
    case 'paused':
      return { ...state, isPaused: event.isPaused };
    case 'evaluated':
      return { ...state, evaluated: event };
    case 'folder':
    case 'skipped':
      return state;
    case 'step':
      return onStep(state, event);
  }
}

/** What nobody would see in figures of three digits is the same. */
const SAME = 0.005;

function withPrediction(state: TrainState, { prediction, timeline, news }: PredictedEvent): TrainState {
  const { prediction: before } = state;
  const isOther = (['stepTimeSeconds', 'mfu'] as const).some(
    (of) => Math.abs(prediction[of] - before[of]) > SAME * before[of],
  );
  return {
    ...state,
    prediction,
    predictedTimeline: timeline,
    ...(isOther ? { before: { prediction: before, news } } : {}),
  };
}

function onStep(state: TrainState, event: StepEvent): TrainState {
  const { total } = state;
  return {
    ...state,
    latest: event,
    loss: append(state.loss, event.loss),
    tokensPerSecond: append(state.tokensPerSecond, event.tokensPerSecond),
    mfu: append(state.mfu, event.mfu),
    inputStall: append(state.inputStall, event.inputStallSeconds),
    total: {
      seconds: total.seconds + event.stepTimeSeconds + event.inputStallSeconds,
      stallSeconds: total.stallSeconds + event.inputStallSeconds,
    },
    ...(event.gradientNorm === undefined ? {} : looked(state, event)),
  };
}

const looked = (state: TrainState, event: StepEvent) => ({
  latestLooked: event,
  // What is not finite is left out.
  gradientNorm: append(state.gradientNorm, event.gradientNorm ?? Infinity),
  largestAttentionLogit: append(state.largestAttentionLogit, event.largestAttentionLogit ?? Infinity),
});

/** Seconds of steps that are left, at the pace of the latest. */
export function remainingSeconds({ latest }: TrainState): number | undefined {
  return latest && Math.max(0, latest.steps - latest.step) * latest.stepTimeSeconds;
}
