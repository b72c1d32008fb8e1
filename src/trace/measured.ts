/**
 * What the join needs of a run: for each span id the time it took. Means over steps and ranks, so that all spans of a
 * rank add up to the step; steps that something else on the machine disturbed are left out.
 */
import { median, medianAbsoluteDeviation } from 'simple-statistics';
import type { Phase } from '../program/index.js';
import type { Seconds } from '../units.js';
import { seconds } from '../units.js';
import type { Span, SpanKind, Trace } from './trace.js';

export interface TimedSpan {
  readonly id: string;
  readonly kind: SpanKind;
  readonly name: string;
  readonly phase: Phase;
  readonly seconds: Seconds;
  /** For a collective: bytes that a rank sends. */
  readonly sentBytes?: number;
}

/** One measured step: each rank's spans, and the step as the host saw it. */
export interface MeasuredStep {
  readonly step: number;
  readonly seconds: Seconds;
  readonly spansByRank: readonly (readonly Span[])[];
}

const mean = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0) / values.length;

const timed = (span: Span, duration: number, sentBytes = span.sentBytes): TimedSpan => ({
  id: span.id,
  kind: span.kind,
  name: span.name,
  phase: span.phase,
  seconds: seconds(duration),
  ...(sentBytes === undefined ? {} : { sentBytes }),
});

/** Deviations from the median beyond which a step is an outlier. */
const OUTLIER = 3;
/** Of a normal distribution: its standard deviation over its median absolute deviation. */
const MAD_TO_DEVIATION = 1.4826;

/** Values without those that lie more than three deviations from the median. */
export function withoutOutliers<T>(items: readonly T[], valueOf: (item: T) => number): T[] {
  const values = items.map(valueOf);
  const middle = median(values);
  const allowed = OUTLIER * MAD_TO_DEVIATION * medianAbsoluteDeviation(values);
  return items.filter((_, index) => Math.abs(values[index]! - middle) <= allowed);
}

/** Every span once, in the order of the first step. */
export function summarizeSteps(steps: readonly MeasuredStep[]): TimedSpan[] {
  const durations = new Map<string, { span: Span; byRank: Map<number, number[]>; sent: Map<number, number> }>();
  for (const { spansByRank } of withoutOutliers(steps, (step) => step.seconds)) {
    for (const span of spansByRank.flat()) {
      let entry = durations.get(span.id);
      if (entry === undefined) durations.set(span.id, (entry = { span, byRank: new Map(), sent: new Map() }));
      const ofRank = entry.byRank.get(span.rank) ?? [];
      ofRank.push(span.end - span.start);
      entry.byRank.set(span.rank, ofRank);
      if (span.sentBytes !== undefined) entry.sent.set(span.rank, span.sentBytes);
    }
  }
  return [...durations.values()].map(({ span, byRank, sent }) => {
    const means = [...byRank.values()].map(mean);
    // Ranks send chunks of different sizes where a tensor does not divide; their mean is what the closed form says.
    return timed(span, mean(means), sent.size === 0 ? undefined : mean([...sent.values()]));
  });
}

/** The representative's spans of a simulated trace. */
export const simulatedSpans = (trace: Trace): TimedSpan[] =>
  trace.spans.filter(({ rank }) => rank === 0).map((span) => timed(span, span.end - span.start));
