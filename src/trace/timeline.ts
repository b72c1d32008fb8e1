/** A step as a picture: in each of equal slots of time, what a rank is at for most of it. */
import type { Seconds } from '../units.js';
import { seconds } from '../units.js';
import type { MeasuredStep } from './measured.js';
import type { Span } from './trace.js';

export interface StepTimeline {
  readonly step: number;
  /** The whole step: all slots together. */
  readonly seconds: Seconds;
  /** `compute`, `data`, `wait`: an axis stands for the communication over it that no kernel hides. */
  readonly activities: readonly string[];
  /** Of each rank, or of one of each stage, an index into `activities` a slot. */
  readonly ranks: readonly (readonly number[])[];
}

/** Finer than a wide terminal can show. */
export const TIMELINE_SLOTS = 240;

/** A chip with nothing of its own to do: others are waited for. */
export const WAIT = 'wait';
const COMPUTE = 'compute';
const HOST = 'host';

/** What a span shows as; of a collective its axis, where it has one. */
const activityOf = ({ kind, axis, name }: Span): string =>
  kind === 'collective' ? (axis ?? name) : kind === 'host' ? HOST : COMPUTE;

/** Seconds of each slot that spans cover, in which any two are taken to follow each other. */
function covered(spans: readonly Span[], slot: number, slots: number): Float64Array {
  const found = new Float64Array(slots);
  for (const { start, end } of spans) {
    const last = Math.min(slots - 1, Math.floor(end / slot));
    for (let index = Math.max(0, Math.floor(start / slot)); index <= last; index++)
      found[index]! += Math.max(0, Math.min(end, (index + 1) * slot) - Math.max(start, index * slot));
  }
  return found.map((value) => Math.min(value, slot));
}

function slotsOf(spans: readonly Span[], duration: number, slots: number, activities: readonly string[]): number[] {
  const slot = duration / slots;
  const wait = activities.indexOf(WAIT);
  const byActivity = activities.map((activity) =>
    activity === WAIT
      ? undefined
      : covered(
          spans.filter((span) => activityOf(span) === activity),
          slot,
          slots,
        ),
  );
  return Array.from({ length: slots }, (_, index) => {
    // Kernels hide what goes on beside them, so what is left of the slot is what collectives and hosts can show.
    let left = slot - (byActivity[0]?.[index] ?? 0);
    let [best, most] = [0, byActivity[0]?.[index] ?? 0];
    byActivity.forEach((times, activity) => {
      if (activity === 0 || times === undefined) return;
      const shown = Math.min(left, times[index]!);
      left -= shown;
      if (shown > most) [best, most] = [activity, shown];
    });
    return left > most ? wait : best;
  });
}

/**
 * @param spansByRank of one step; time counts from its start
 * @param duration of the step, at least the end of its last span
 */
export function timelineOfSpans(
  spansByRank: readonly (readonly Span[])[],
  duration: Seconds,
  step: number,
  slots = TIMELINE_SLOTS,
): StepTimeline {
  const found = new Set(spansByRank.flatMap((spans) => spans.map(activityOf)));
  const rest = [...found].filter((activity) => activity !== COMPUTE).sort();
  const activities = [COMPUTE, ...rest, WAIT];
  const ranks = spansByRank.map((spans) => slotsOf(spans, duration, slots, activities));
  return { step, seconds: seconds(duration), activities, ranks };
}

export const timelineOf = ({ step, seconds: duration, spansByRank }: MeasuredStep, slots?: number): StepTimeline =>
  timelineOfSpans(spansByRank, duration, step, slots);
