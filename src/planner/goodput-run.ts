/** A training with its interruptions, event by event: what `goodput.ts` has the expectation of. */
import { createRandom } from '../random.js';
import type { Seconds } from '../units.js';
import { seconds } from '../units.js';
import type { Goodput, Interruptions } from './goodput.js';

export interface TrainingRun {
  readonly time: Seconds;
  readonly interruptions: number;
  readonly shares: Goodput;
}

/**
 * @param work what steps alone would take
 * @param seed with `draw`, of the times of interruptions
 */
export function runTraining(
  { meanTimeBetween: m, checkpoint, restart }: Interruptions,
  interval: Seconds,
  work: Seconds,
  seed: number,
  draw = 0,
): TrainingRun {
  const random = createRandom(seed, draw);
  /** Exponentially distributed; 1 - u keeps the logarithm's argument above zero. */
  const untilNext = (): number => -m * Math.log(1 - random.next());
  let [now, done, interruptions, restarts, lost, written] = [0, 0, 0, 0, 0, 0];
  let failsAt = untilNext();
  /** Whether it got through; where not, `now` is when it was interrupted. */
  const passes = (duration: number): boolean => {
    const end = now + duration;
    if (end <= failsAt) {
      now = end;
      return true;
    }
    now = failsAt;
    interruptions++;
    failsAt = now + untilNext();
    return false;
  };
  while (done < work) {
    const stretch = Math.min(interval, work - done);
    const start = now;
    if (passes(stretch + checkpoint)) {
      done += stretch;
      written += checkpoint;
      continue;
    }
    lost += now - start;
    const stopped = now;
    while (!passes(restart));
    restarts += now - stopped;
  }
  return {
    time: seconds(now),
    interruptions,
    shares: { useful: done / now, checkpoints: written / now, rework: lost / now, restarts: restarts / now },
  };
}

export interface TrainingRuns {
  readonly draws: number;
  readonly seed: number;
  readonly meanTime: Seconds;
  /** What one run in twenty is faster than, and one in twenty slower. */
  readonly fastTime: Seconds;
  readonly slowTime: Seconds;
  readonly meanInterruptions: number;
  /** Useful time of all runs over all their time. */
  readonly useful: number;
}

export function runTrainings(
  interruptions: Interruptions,
  interval: Seconds,
  work: Seconds,
  { draws, seed }: { readonly draws: number; readonly seed: number },
): TrainingRuns {
  const runs = Array.from({ length: draws }, (_, draw) => runTraining(interruptions, interval, work, seed, draw));
  const times = runs.map(({ time }) => time).toSorted((a, b) => a - b);
  const total = times.reduce((sum, time) => sum + time, 0);
  const at = (share: number): Seconds => times[Math.round(share * (draws - 1))]!;
  return {
    draws,
    seed,
    meanTime: seconds(total / draws),
    fastTime: at(0.05),
    slowTime: at(0.95),
    meanInterruptions: runs.reduce((sum, run) => sum + run.interruptions, 0) / draws,
    useful: (work * draws) / total,
  };
}
