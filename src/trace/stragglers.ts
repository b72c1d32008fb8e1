/**
 * Ranks whose kernels are slower than those of ranks that compute the same, and since when. A rank's slowness over the
 * steps is cut where its level changes, and each part is judged by itself: one that is slower beyond what its steps
 * differ by is named.
 */
import { median } from 'simple-statistics';
import type { Slowness } from './ranks.js';

export interface Straggler {
  readonly rank: number;
  /** Its kernels' time over that of its peers: the median over the steps, and what it is at least, with 95 % confidence. */
  readonly factor: number;
  readonly leastFactor: number;
  readonly fromStep: number;
  /** Null: to the end. */
  readonly toStep: number | null;
  /** Whether it is so from the first step that was looked at. */
  readonly fromStart: boolean;
}

/** Ranks that share a machine with others differ by this much from one minute to the next, whatever they do. */
const LEAST_SLOWNESS = 0.1;
/** A part that is named is slow with 95 % confidence. */
const ERROR = 0.05;
/** Of fewer steps nothing can be said about their median with that confidence. */
const LEAST_STEPS = 5;

/**
 * Cuts a series where its level changes: the cuts that make the sum of distances to each part's median smallest, each cut
 * costing as much as two parameters do by the Bayesian information criterion, for the Laplace distribution whose scale is
 * what neighbours differ by.
 *
 * @returns the first index of each part
 */
export function cutLevels(values: readonly number[]): number[] {
  const count = values.length;
  if (count < 2 * LEAST_STEPS) return [0];
  // Mean distance to the median, robustly: neighbours differ by √2 of a part's own noise, a change of level aside.
  const scale = median(values.slice(1).map((value, index) => Math.abs(value - values[index]!))) / Math.SQRT2;
  const price = 2 * Math.log(count) * Math.max(scale, Number.MIN_VALUE);
  const best = [-price];
  const cutBefore = [0];
  const costs = partCosts(values);
  for (let end = 1; end <= count; end++) {
    best[end] = Infinity;
    for (let start = 0; start + LEAST_STEPS <= end; start++) {
      const cost = best[start]! + costs(start, end) + price;
      if (cost < best[end]!) [best[end], cutBefore[end]] = [cost, start];
    }
  }
  const starts: number[] = [];
  for (let end = count; end > 0; end = cutBefore[end]!) starts.unshift(cutBefore[end]!);
  return starts;
}

/** Sums of distances to the median of all parts that a series has, from sorted lists that grow. */
function partCosts(values: readonly number[]): (start: number, end: number) => number {
  const table = values.map((_, start) => {
    const sorted: number[] = [];
    return values.slice(start).map((value) => {
      let [low, high] = [0, sorted.length];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (sorted[middle]! < value) low = middle + 1;
        else high = middle;
      }
      sorted.splice(low, 0, value);
      const middle = sorted[sorted.length >> 1]!;
      return sorted.reduce((total, one) => total + Math.abs(one - middle), 0);
    });
  });
  return (start, end) => table[start]![end - start - 1]!;
}

/**
 * What the median of a distribution is at least, by the signs of a sample alone.
 *
 * @param error probability that it is less
 */
export function leastMedian(sample: readonly number[], error = ERROR): number {
  const sorted = sample.toSorted((a, b) => a - b);
  // The k-th smallest is above the median with probability P(Binomial(n, ½) < k).
  let [probability, below, order] = [0.5 ** sorted.length, 0, 0];
  while (below + probability <= error) {
    below += probability;
    probability *= (sorted.length - order) / (order + 1);
    order++;
  }
  return order === 0 ? -Infinity : sorted[order - 1]!;
}

interface Step {
  readonly firstStep: number;
  readonly lastStep: number;
  /** Logarithm of the slowness. */
  readonly value: number;
}

/**
 * The error that a part may have. One that is not all of the series was picked as the slowest of all parts there could be:
 * each shares the error with all of them (Bonferroni), or noise would be named.
 */
function errorOfPart(part: number, all: number): number {
  const places = all - LEAST_STEPS + 1;
  return part === all ? ERROR : ERROR / ((places * (places + 1)) / 2);
}

const leastSlowness = (part: readonly Step[], error: number): number =>
  leastMedian(
    part.map(({ value }) => value),
    error,
  );

/** Parts of a rank's steps that it is slow in: neighbours that are slow by themselves are joined, and judged as one. */
function slowParts(steps: readonly Step[]): { readonly start: number; readonly end: number }[] {
  const starts = cutLevels(steps.map(({ value }) => value));
  const bound = Math.log1p(LEAST_SLOWNESS);
  const found: { start: number; end: number }[] = [];
  starts.forEach((start, index) => {
    const end = starts[index + 1] ?? steps.length;
    if (leastSlowness(steps.slice(start, end), ERROR) <= bound) return;
    const before = found.at(-1);
    if (before?.end === start) before.end = end;
    else found.push({ start, end });
  });
  return found.filter(
    ({ start, end }) => leastSlowness(steps.slice(start, end), errorOfPart(end - start, steps.length)) > bound,
  );
}

/** @param series steps in their order */
export function findStragglers(series: readonly Slowness[]): Straggler[] {
  const ranks = series[0]?.byRank.map((_, rank) => rank) ?? [];
  return ranks.flatMap((rank) => {
    const own = series.flatMap(({ firstStep, lastStep, byRank }): Step[] =>
      byRank[rank] == null ? [] : [{ firstStep, lastStep, value: Math.log(byRank[rank]) }],
    );
    return slowParts(own).map(({ start, end }): Straggler => {
      const part = own.slice(start, end);
      return {
        rank,
        factor: Math.exp(median(part.map(({ value }) => value))),
        leastFactor: Math.exp(leastSlowness(part, errorOfPart(part.length, own.length))),
        fromStep: own[start]!.firstStep,
        toStep: end === own.length ? null : own[end - 1]!.lastStep,
        fromStart: start === 0,
      };
    });
  });
}
