/** A run beside its prediction, and their join. */
import { median } from 'simple-statistics';
import type { JoinedSpan, Span, TimedSpan } from '../trace/index.js';
import { joinSpans, simulatedSpans, summarizeSteps } from '../trace/index.js';
import { seconds } from '../units.js';
import { pipelineSpans } from '../../sim/index.js';
import type { AnyAssessment } from './assess.js';
import { isOfPipeline } from './assess.js';

export interface Trial {
  readonly predicted: AnyAssessment;
  readonly spans: readonly TimedSpan[];
  readonly stepSeconds: readonly number[];
}

/** A step that the host waits for to its end, as the trainer does: no stage of a pipeline begins the next one before. */
export const predictedStepSeconds = ({ simulation: { pipeline, stepTimeSeconds } }: AnyAssessment): number =>
  pipeline?.stepAloneSeconds ?? stepTimeSeconds;

export const measuredStepSeconds = ({ stepSeconds }: Trial): number => median([...stepSeconds]);
/** What a step of this length makes of the chips. */
export const mfuOf = ({ simulation: { mfu, stepTimeSeconds } }: AnyAssessment, step: number): number =>
  (mfu * stepTimeSeconds) / step;

/** The simulated step's spans, of one rank or of one of each stage. */
export const predictedTrace = (predicted: AnyAssessment): Span[] =>
  isOfPipeline(predicted)
    ? pipelineSpans(predicted.execution, predicted.machine).flat()
    : [...predicted.execution.trace.spans];

export function predictedSpans(predicted: AnyAssessment): TimedSpan[] {
  if (!isOfPipeline(predicted)) return simulatedSpans(predicted.execution.trace);
  const spansByRank = pipelineSpans(predicted.execution, predicted.machine);
  return summarizeSteps([{ step: 0, seconds: seconds(predictedStepSeconds(predicted)), spansByRank }]);
}

export const joinTrial = ({ predicted, spans }: Trial): JoinedSpan[] => joinSpans(predictedSpans(predicted), spans);
