import { describe, expect, it } from 'vitest';
import { createMesh } from '../../src/mesh/index.js';
import type { Slowness, Span } from '../../src/trace/index.js';
import {
  cutLevels,
  findStragglers,
  leastMedian,
  peersOf,
  SlownessSeries,
  slownessOf,
  spansByRank,
} from '../../src/trace/index.js';
import { seconds } from '../../src/units.js';

const span = (rank: number, id: string, start: number, end: number, kind: Span['kind'] = 'kernel'): Span => ({
  id,
  kind,
  name: kind,
  phase: 'forward',
  rank,
  start: seconds(start),
  end: seconds(end),
});

/** Each rank's kernels one after the other, so many seconds each. */
const step = (number: number, durations: readonly (readonly number[])[]) => ({
  step: number,
  seconds: seconds(10),
  spansByRank: durations.map((own, rank) => {
    let time = 0;
    return own.map((duration, index) => span(rank, `kernel/${index}`, time, (time += duration)));
  }),
});

describe('slowness of a step', () => {
  const peers = peersOf(createMesh({ data: 4 }));

  it('is a rank against the median of the others, kernel by kernel', () => {
    const { byRank } = slownessOf(
      step(1, [
        [1, 2],
        [1, 2],
        [1.3, 2.6],
        [1, 2],
      ]),
      peers,
    );
    expect(byRank[2]).toBeCloseTo(1.3);
    // One slow rank of four makes no other look fast.
    for (const rank of [0, 1, 3]) expect(byRank[rank]).toBeCloseTo(1);
  });

  it('does not count waiting in collectives', () => {
    const [spans] = step(1, [[1], [1]]).spansByRank;
    const waiting = [[...spans!, span(0, 'sum', 1, 9, 'collective')], [span(1, 'kernel/0', 0, 1)]];
    expect(slownessOf({ step: 1, spansByRank: waiting }, peersOf(createMesh({ data: 2 }))).byRank).toEqual([1, 1]);
  });

  it('is nothing of a rank that alone computes a stage', () => {
    expect(peersOf(createMesh({ pipe: 2 }))).toEqual([[], []]);
    expect(peersOf(createMesh({ pipe: 2, data: 2 }))).toEqual([[1], [0], [3], [2]]);
    expect(slownessOf(step(1, [[1], [1]]), [[], []]).byRank).toEqual([null, null]);
  });
});

/** A rank of two that is so many times slower from a step on, with noise. */
function series(factorOf: (step: number) => number, noise: (step: number) => number, steps: number): Slowness[] {
  return Array.from({ length: steps }, (_, index) => {
    const factor = factorOf(index + 1) * Math.exp(noise(index + 1));
    return { firstStep: index + 1, lastStep: index + 1, byRank: [1 / factor, factor] };
  });
}

/** Noise that is the same in each run of the test: uniform in ± `width`. */
const noise = (width: number, seed: number) => (at: number) => {
  const value = Math.sin(seed * 12.9898 + at * 78.233) * 43758.5453;
  return width * (2 * (value - Math.floor(value)) - 1);
};

describe('stragglers', () => {
  it('are named with their factor and since when', () => {
    const found = findStragglers(series((at) => (at >= 40 ? 1.3 : 1), noise(0.1, 1), 100));
    expect(found).toHaveLength(1);
    const [{ rank, factor, leastFactor, fromStep, toStep, fromStart }] = found as [(typeof found)[number]];
    expect({ rank, toStep, fromStart }).toEqual({ rank: 1, toStep: null, fromStart: false });
    expect(factor).toBeGreaterThan(1.25);
    expect(factor).toBeLessThan(1.35);
    expect(leastFactor).toBeLessThan(factor);
    expect(Math.abs(fromStep - 40)).toBeLessThanOrEqual(3);
  });

  it('that are slow from the start are so from the start, and those that recovered to a step', () => {
    const all = findStragglers(series(() => 1.3, noise(0.1, 2), 30));
    expect(all).toMatchObject([{ rank: 1, fromStep: 1, toStep: null, fromStart: true }]);
    const [one] = findStragglers(series((at) => (at >= 20 && at < 60 ? 1.5 : 1), noise(0.05, 3), 100));
    expect(Math.abs(one!.fromStep - 20)).toBeLessThanOrEqual(2);
    expect(Math.abs(one!.toStep! - 59)).toBeLessThanOrEqual(2);
  });

  it('are none where ranks differ by noise alone, nor by less than ranks of a shared machine do', () => {
    // A rank is named with 95 % confidence: wrongly at most once in 20 runs.
    const runs = 300;
    const named = (factor: number) =>
      Array.from({ length: runs }, (_, seed) => {
        const steps = 5 + (seed % 116);
        return findStragglers(series(() => factor, noise(0.15, seed + 1), steps)).length;
      }).filter((count) => count > 0).length;
    expect(named(1.05) / runs).toBeLessThan(0.05);
    expect(named(1) / runs).toBeLessThan(0.05);
    expect(named(1.3) / runs).toBeGreaterThan(0.9);
  });

  it('are not told from fewer than five steps', () => {
    expect(
      findStragglers(
        series(
          () => 2,
          () => 0,
          4,
        ),
      ),
    ).toEqual([]);
    expect(
      findStragglers(
        series(
          () => 2,
          () => 0,
          5,
        ),
      ),
    ).toMatchObject([{ rank: 1, factor: 2 }]);
    expect(findStragglers([])).toEqual([]);
  });

  it('are found in a long run of which steps are taken together', () => {
    const long = series((at) => (at > 3000 ? 1.3 : 1), noise(0.2, 4), 5000);
    const short = new SlownessSeries(512);
    long.forEach((step) => short.add(step));
    const [found] = findStragglers(short.all);
    expect(found!.rank).toBe(1);
    expect(Math.abs(found!.fromStep - 3001)).toBeLessThanOrEqual(30);
  });
});

it('slowness is kept in bounded memory however long the run is, each part the geometric mean of its steps', () => {
  const most = 8;
  const kept = new SlownessSeries(most);
  const steps = series(() => 1, noise(0.5, 5), 100).map((one): Slowness => ({ ...one, byRank: [...one.byRank, null] }));
  for (const [index, step] of steps.entries()) {
    kept.add(step);
    const { all } = kept;
    expect(all.length).toBeLessThanOrEqual(most);
    expect(all.map(({ firstStep }) => firstStep)).toEqual([1, ...all.slice(0, -1).map(({ lastStep }) => lastStep + 1)]);
    expect(all.at(-1)!.lastStep).toBe(index + 1);
  }
  for (const { firstStep, lastStep, byRank } of kept.all) {
    const part = steps.slice(firstStep - 1, lastStep);
    const product = part.reduce((total, one) => total * one.byRank[1]!, 1);
    expect(byRank[1]).toBeCloseTo(product ** (1 / part.length), 10);
    expect(byRank[2]).toBeNull();
  }
});

describe('levels of a series', () => {
  it('are cut where it changes, and nowhere else', () => {
    expect(cutLevels([...Array<number>(20).fill(1), ...Array<number>(20).fill(2)])).toEqual([0, 20]);
    expect(cutLevels(Array<number>(50).fill(3))).toEqual([0]);
    expect(cutLevels([1, 2, 3])).toEqual([0]);
  });

  it('have a median that is at least the bound in 95 of 100 samples', () => {
    // Of uniform numbers the median is ½.
    let below = 0;
    for (let sample = 0; sample < 400; sample++) {
      const values = Array.from({ length: 25 }, (_, at) => noise(0.5, sample)(at) + 0.5);
      if (leastMedian(values) <= 0.5) below++;
    }
    expect(below / 400).toBeGreaterThan(0.93);
  });
});

it('spans by rank add up to the step of each rank, and a rank without a span has none', () => {
  const steps = [1, 2, 3].map((number) => ({
    ...step(number, [[1, 2], [3]]),
    seconds: seconds(10),
  }));
  expect(spansByRank(steps)).toEqual([
    { id: 'kernel/0', kind: 'kernel', name: 'kernel', phase: 'forward', medianSeconds: [1, 3], exposedSeconds: [1, 3] },
    {
      id: 'kernel/1',
      kind: 'kernel',
      name: 'kernel',
      phase: 'forward',
      medianSeconds: [2, null],
      exposedSeconds: [2, null],
    },
  ]);
});
