/**
 * What ranks wait where they meet, from kernels that are all alike with a small collective after each few of them: what
 * the step takes beside kernels and collective as they were measured without one another.
 */
import { median } from 'simple-statistics';
import type { RankMeasurements } from './blocks.js';
import type { Placed } from './placed-probes.js';
import { EXCHANGED_ELEMENTS, MEETING_KERNELS, collectiveId, meetingId, meetingKernelId } from './probe-program.js';
import { fitNonNegative } from './regression.js';
import { meanRatio } from './slowdowns.js';

export interface MeasuredWaits {
  readonly ranks: number;
  /** See `RankWaits`; in seconds. */
  readonly start: number;
  readonly jitter: number;
  readonly share: number;
  readonly repeatability: number;
}

/** A share of what was computed. */
const LEAST = 0.01;

/** Means throughout: a wait is what now and then happens. */
export function waitsOf(all: readonly RankMeasurements[], placed: readonly Placed[], cores: number): MeasuredWaits[] {
  const several = all.filter(({ ranks }) => ranks > 1);
  const most = several.findLast(({ ranks }) => ranks <= cores);
  // Without one, what kernels take where ranks take turns is not known apart from what they wait.
  if (most === undefined) return [];
  return several.map((measured): MeasuredWaits => {
    const turns = measured.ranks <= cores ? undefined : Math.max(1, meanRatio(most, measured, placed));
    const alone = measured.mean(collectiveId('all_reduce', EXCHANGED_ELEMENTS[0]!)).value;
    const points = MEETING_KERNELS.map((kernels) => {
      const found = measured.mean(meetingKernelId(kernels)).value;
      const met = measured.mean(meetingId(kernels));
      const kernel = turns === undefined ? found : turns * most.mean(meetingKernelId(kernels)).value;
      const waited = Math.max(0, kernels * (found - kernel) + met.value - alone);
      return { computed: kernels * kernel, waited, repeatability: met.repeatability };
    });
    // As squares, which add up; relative errors count, of waits that are not next to nothing.
    const squares = fitNonNegative(
      points.map(({ computed, waited }) => ({
        features: [1, computed, computed ** 2],
        target: waited ** 2,
        weight: 1 / (waited + LEAST * computed) ** 4,
      })),
    ) as [number, number, number];
    const repeatability = median(points.map((point) => point.repeatability));
    const [start, jitter, share] = [Math.sqrt(squares[0]), squares[1], Math.sqrt(squares[2])];
    return { ranks: measured.ranks, start, jitter, share, repeatability };
  });
}
