/**
 * What the join needs of a run: for each span id the time it took, and what that added to the step. Means over steps and
 * ranks, so that what spans add is at most the step. Of the steps only the half closest to the median counts: the median
 * is what is compared, and steps that something else on the machine disturbed are left out.
 */
import { median } from 'simple-statistics';
import type { Lane } from '../mesh/index.js';
import type { Phase } from '../program/index.js';
import type { Seconds } from '../units.js';
import { seconds } from '../units.js';
import { exposedTimes } from './exposure.js';
import type { Span, SpanKind, Trace } from './trace.js';

export interface TimedSpan {
  readonly id: string;
  readonly kind: SpanKind;
  readonly name: string;
  readonly phase: Phase;
  /** From its start to its end. */
  readonly seconds: Seconds;
  /** What it adds to the step, all its runs, see `exposedTimes`. */
  readonly exposedSeconds: Seconds;
  /**
   * How often a rank runs it in a step: once where absent. In a pipeline a stage runs it for each microbatch, and another
   * stage may not run it at all.
   */
  readonly runs?: number;
  /** For a collective: bytes that a rank sends. */
  readonly sentBytes?: number;
  /** For a collective: the axis it is over. */
  readonly axis?: Lane;
}

/** One measured step: each rank's spans, and the step as the host saw it. */
export interface MeasuredStep {
  readonly step: number;
  readonly seconds: Seconds;
  readonly spansByRank: readonly (readonly Span[])[];
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const mean = (values: readonly number[]): number => sum(values) / values.length;

const timed = (span: Span, duration: number, exposed: number, sentBytes = span.sentBytes, runs = 1): TimedSpan => ({
  id: span.id,
  kind: span.kind,
  name: span.name,
  phase: span.phase,
  seconds: seconds(duration),
  exposedSeconds: seconds(exposed),
  ...(runs === 1 ? {} : { runs }),
  ...(sentBytes === undefined ? {} : { sentBytes }),
  ...(span.axis === undefined ? {} : { axis: span.axis }),
});

/** The half whose values are closest to the median. */
export function typical<T>(items: readonly T[], valueOf: (item: T) => number): T[] {
  const middle = median(items.map(valueOf));
  const distance = (item: T): number => Math.abs(valueOf(item) - middle);
  return items.toSorted((a, b) => distance(a) - distance(b)).slice(0, Math.ceil(items.length / 2));
}

interface Runs {
  readonly span: Span;
  readonly durations: number[];
  readonly exposed: number[];
  /** By rank. */
  readonly sent: Map<number, number>;
}

/** Every id once, in the order of the first step. */
export function summarizeSteps(steps: readonly MeasuredStep[]): TimedSpan[] {
  const found = new Map<string, Runs>();
  let ranksOfSteps = 0;
  for (const { spansByRank } of typical(steps, (step) => step.seconds)) {
    ranksOfSteps += spansByRank.length;
    for (const spans of spansByRank) {
      const exposed = exposedTimes(spans);
      spans.forEach((span, index) => {
        let runs = found.get(span.id);
        if (runs === undefined) found.set(span.id, (runs = { span, durations: [], exposed: [], sent: new Map() }));
        runs.durations.push(span.end - span.start);
        runs.exposed.push(exposed[index]!);
        if (span.sentBytes !== undefined) runs.sent.set(span.rank, span.sentBytes);
      });
    }
  }
  return [...found.values()].map(({ span, durations, exposed, sent }) =>
    // Ranks send chunks of different sizes where a tensor does not divide; their mean is what the closed form says.
    timed(
      span,
      mean(durations),
      sum(exposed) / ranksOfSteps,
      sent.size === 0 ? undefined : mean([...sent.values()]),
      durations.length / ranksOfSteps,
    ),
  );
}

/** The representative's spans of a simulated trace. */
export function simulatedSpans(trace: Trace): TimedSpan[] {
  const spans = trace.spans.filter(({ rank }) => rank === 0);
  const exposed = exposedTimes(spans);
  return spans.map((span, index) => timed(span, span.end - span.start, exposed[index]!));
}
