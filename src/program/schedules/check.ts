/** What must hold of a schedule before anyone follows it, and what it holds in memory. */
import type { Schedule } from './schedule.js';
import { slotTimes } from './slot-times.js';
import { timeline } from './timeline.js';

/**
 * Every chunk of every microbatch goes forward once and backward once (whole, or input and weight), each stage does one
 * at a time, and none waits for what can't come.
 *
 * @throws MeshwrightError PROGRAM_INVALID
 */
export function checkSchedule(schedule: Schedule): void {
  timeline(schedule, slotTimes(schedule, { forward: 1, backwardInput: 1, backwardWeight: 1, transfer: 0 }));
}

/** What one microbatch keeps on one chunk of a stage: a count, or bytes; whole, so that sums are exact. */
export interface Kept<A extends number> {
  /** From its forward until its backward, or its backward-input. */
  readonly forward: A;
  /** Of that, what stays from there until its backward-weight. */
  readonly untilWeight: A;
}

const ONE: Kept<number> = { forward: 1, untilWeight: 1 };

/**
 * The most that is kept at once, by stage. Where nothing is said of what is kept it counts microbatches, of chunks: a
 * stage's whole share of a microbatch is `schedule.chunks` of them. The schedule is taken to be valid.
 */
export function peakActivations(schedule: Schedule): number[];
export function peakActivations<A extends number>(
  schedule: Schedule,
  kept: (stage: number, chunk: number) => Kept<A>,
): A[];
export function peakActivations(
  schedule: Schedule,
  kept: (stage: number, chunk: number) => Kept<number> = () => ONE,
): number[] {
  return schedule.slots.map((slots, stage) => {
    const chunks = Array.from({ length: schedule.chunks }, (_, chunk) => kept(stage, chunk));
    let live = 0;
    let peak = 0;
    for (const { kind, chunk } of slots) {
      const { forward, untilWeight } = chunks[chunk]!;
      if (kind === 'forward') live += forward;
      else if (kind === 'backward') live -= forward;
      else if (kind === 'backward-input') live -= forward - untilWeight;
      else live -= untilWeight;
      peak = Math.max(peak, live);
    }
    return peak;
  });
}
