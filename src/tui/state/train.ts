/** The third screen: a training run on this machine. */
import type { Comparison, PlanRow, TrainEvent } from '../services.js';
import type { History } from './history.js';
import { append, EMPTY_HISTORY } from './history.js';

export type StepEvent = Extract<TrainEvent, { kind: 'step' }>;
export type Evaluation = Extract<TrainEvent, { kind: 'evaluated' }>;

export interface TrainState {
  readonly plan: PlanRow;
  readonly status: 'running' | 'stopping' | 'stopped' | 'failed' | 'done';
  readonly phase: string;
  readonly latest?: StepEvent;
  readonly loss: History;
  readonly tokensPerSecond: History;
  /** Of the steps that are looked at. */
  readonly gradientNorm: History;
  readonly largestAttentionLogit: History;
  readonly latestLooked?: StepEvent;
  readonly evaluated?: Evaluation;
  readonly comparison?: Comparison;
}

export const initialTrain = (plan: PlanRow): TrainState => ({
  plan,
  status: 'running',
  phase: 'starting',
  loss: EMPTY_HISTORY,
  tokensPerSecond: EMPTY_HISTORY,
  gradientNorm: EMPTY_HISTORY,
  largestAttentionLogit: EMPTY_HISTORY,
});

export const isUnderWay = ({ status }: TrainState): boolean => status === 'running' || status === 'stopping';

export function onTrainEvent(state: TrainState, event: TrainEvent): TrainState {
  switch (event.kind) {
    case 'phase':
      return { ...state, phase: event.text };
    case 'evaluated':
      return { ...state, evaluated: event };
    case 'step':
      return {
        ...state,
        latest: event,
        loss: append(state.loss, event.loss),
        tokensPerSecond: append(state.tokensPerSecond, event.tokensPerSecond),
        ...(event.gradientNorm === undefined ? {} : looked(state, event)),
      };
  }
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
