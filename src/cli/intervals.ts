/** Between what a prediction lies: the point prediction by how far predictions with its stack are off. */
import type { Quantiles } from '../calibrate/index.js';
import type { Stack, Uncertainty } from '../hardware/index.js';
import { loadStack } from '../hardware/index.js';
import { MeshwrightError } from '../errors.js';
import { formatSeconds, seconds } from '../units.js';

/** Eight of ten runs lie between the first and the last. */
export interface Interval {
  readonly p10: number;
  readonly p50: number;
  readonly p90: number;
  /** What it was learned from. */
  readonly source: string;
}

export interface PredictionIntervals {
  readonly stepTimeInterval: Interval;
  readonly mfuInterval: Interval;
}

let pooled: Uncertainty | undefined;

/** Of all sets of runs, for a stack that none is of. */
function pooledUncertainty(): Uncertainty {
  pooled ??= loadStack('default').uncertainty;
  if (pooled !== undefined) return pooled;
  const expected = 'uncertainty, for stacks that have none';
  throw new MeshwrightError('INTERNAL', { place: 'stack profile default', expected, got: 'none' });
}

/** What a stack says of predictions with it; where it says nothing, what all sets of runs together do. */
export const uncertaintyOf = ({ uncertainty }: Stack): Uncertainty => uncertainty ?? pooledUncertainty();

/**
 * @param figures in seconds and as a share; the intervals are of the same
 * @param quantiles of measured over predicted step time
 */
export const intervalsOf = (
  { stepTimeSeconds, mfu }: { readonly stepTimeSeconds: number; readonly mfu: number },
  { p10, p50, p90 }: Quantiles,
  source: string,
): PredictionIntervals => ({
  stepTimeInterval: { p10: stepTimeSeconds * p10, p50: stepTimeSeconds * p50, p90: stepTimeSeconds * p90, source },
  // A step that takes longer uses the chips less.
  mfuInterval: { p10: mfu / p90, p50: mfu / p50, p90: mfu / p10, source },
});

/** Of so many times as much. */
export const timesInterval = ({ p10, p50, p90, source }: Interval, by: number): Interval => ({
  p10: by * p10,
  p50: by * p50,
  p90: by * p90,
  source,
});

/** `0.9 to 1.2 s`, for tables; without the source. */
export const formatInterval = ({ p10, p90 }: Pick<Interval, 'p10' | 'p90'>): string =>
  `${formatSeconds(seconds(p10))} – ${formatSeconds(seconds(p90))}`;
