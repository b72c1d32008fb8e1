/** What blocks of measurements say together: drift divided out, outliers left out, and how well each number repeats. */
import { median, medianAbsoluteDeviation, quantile } from 'simple-statistics';
import type { Block, RankBlock } from './measure.js';

/** A measured number. */
export interface Repeated {
  readonly value: number;
  /** Half of what lies between the 10th and the 90th percentile over blocks, over the value. */
  readonly repeatability: number;
}

/** A normal distribution's standard deviation over its median absolute deviation. */
const DEVIATION_OVER_MAD = 1.4826;
/** So many standard deviations from the median is something else that happened. */
const OUTLIER = 4;

/** The median of what is no outlier by the median absolute deviation, and how far all of it spreads. */
export function together(values: readonly number[]): Repeated {
  const middle = median([...values]);
  const wide = OUTLIER * DEVIATION_OVER_MAD * medianAbsoluteDeviation([...values]);
  const kept = wide === 0 ? [...values] : values.filter((value) => Math.abs(value - middle) <= wide);
  const value = median(kept);
  const spread = quantile(kept, 0.9) - quantile(kept, 0.1);
  return { value, repeatability: value === 0 ? 0 : spread / 2 / value };
}

/** What was measured with a number of ranks. */
export interface RankMeasurements {
  readonly ranks: number;
  /** The reference kernel, in seconds: drift is relative to it. */
  readonly reference: Repeated;
  /** Of one run of a span, in seconds. */
  median(id: string): Repeated;
  /** The mean over a block's runs, which has in it what ranks wait for each other's turns on a core. */
  mean(id: string): Repeated;
  /** What a step takes beside its kernels. */
  readonly idle: readonly { readonly kernels: number; readonly seconds: Repeated }[];
}

function ofRanks(ranks: number, blocks: readonly RankBlock[]): RankMeasurements {
  const reference = together(blocks.map((block) => block.reference));
  const steady = blocks.map((block) => ({ ...block, drift: block.reference / reference.value }));
  const over = (id: string, of: 'median' | 'mean'): Repeated =>
    together(steady.map(({ spans, drift }) => spans[id]![of] / drift));
  return {
    ranks,
    reference,
    median: (id) => over(id, 'median'),
    mean: (id) => over(id, 'mean'),
    idle: blocks[0]!.idle.map(({ kernels }, at) => ({
      kernels,
      seconds: together(steady.map(({ idle, drift }) => idle[at]!.seconds / drift)),
    })),
  };
}

/** By number of ranks, the fewest first. */
export function joinBlocks(blocks: readonly Block[]): RankMeasurements[] {
  const counts = [...new Set(blocks.flatMap(({ byRanks }) => byRanks.map(({ ranks }) => ranks)))].sort((a, b) => a - b);
  return counts.map((count) =>
    ofRanks(
      count,
      blocks.flatMap(({ byRanks }) => byRanks.filter(({ ranks }) => ranks === count)),
    ),
  );
}
