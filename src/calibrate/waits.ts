/**
 * What ranks wait where they meet, from kernels that are all alike with a collective after each few of them: what these
 * take together beside kernels and collective as they were measured without one another.
 */
import { median } from 'simple-statistics';
import type { RankMeasurements } from './blocks.js';
import type { Placed } from './placed-probes.js';
import { MEETINGS, collectiveId, meetingId, meetingKernelId } from './probe-program.js';
import { fitNonNegative } from './regression.js';
import { meanRatio } from './slowdowns.js';

export interface MeasuredWaits {
  readonly ranks: number;
  /** In seconds. */
  readonly start: number;
  /** See `RankWaits`; in seconds. */
  readonly walk: number;
  readonly repeatability: number;
}

/** Means throughout: a wait is what now and then happens. */
export function waitsOf(all: readonly RankMeasurements[], placed: readonly Placed[], cores: number): MeasuredWaits[] {
  const several = all.filter(({ ranks }) => ranks > 1);
  const most = several.findLast(({ ranks }) => ranks <= cores);
  // Without one, what kernels take where ranks take turns is not known apart from what they wait.
  if (most === undefined) return [];
  return several.map((measured): MeasuredWaits => {
    const turns = measured.ranks <= cores ? undefined : Math.max(1, meanRatio(most, measured, placed));
    const points = MEETINGS.map((meeting) => {
      const { kernels, elements } = meeting;
      const found = measured.mean(meetingKernelId(meeting)).value;
      const met = measured.mean(meetingId(meeting));
      const alone = measured.mean(collectiveId('all_reduce', elements)).value;
      const kernel = turns === undefined ? found : turns * most.mean(meetingKernelId(meeting)).value;
      const waited = kernels * (found - kernel) + met.value - alone;
      return { computed: kernels * kernel, waited, repeatability: met.repeatability };
    });
    const [start, apart] = fitNonNegative(
      points.map(({ computed, waited }) => ({
        features: [1, Math.sqrt(computed)],
        target: waited,
        weight: 1 / computed ** 2,
      })),
    ) as [number, number];
    const repeatability = median(points.map((point) => point.repeatability));
    return { ranks: measured.ranks, start, walk: apart ** 2, repeatability };
  });
}
