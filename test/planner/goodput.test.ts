import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  dalyInterval,
  expectedGoodput,
  meanTimeBetween,
  runTraining,
  runTrainings,
  youngInterval,
} from '../../src/planner/index.js';
import type { Goodput, Interruptions } from '../../src/planner/index.js';
import { seconds } from '../../src/units.js';

const interruptions = (m: number, checkpoint: number, restart: number): Interruptions => ({
  meanTimeBetween: seconds(m),
  checkpoint: seconds(checkpoint),
  restart: seconds(restart),
});
const anyInterruptions = fc
  .record({
    m: fc.double({ min: 600, max: 1e6, noNaN: true }),
    checkpoint: fc.double({ min: 1, max: 300, noNaN: true }),
    restart: fc.double({ min: 0, max: 1200, noNaN: true }),
  })
  .map(({ m, checkpoint, restart }) => interruptions(m, checkpoint, restart));

const sum = ({ useful, checkpoints, rework, restarts }: Goodput): number => useful + checkpoints + rework + restarts;

describe('the expectation', () => {
  test('is Daly’s: interval over M e^(R/M) (e^((interval + checkpoint)/M) - 1)', () => {
    const one = interruptions(3600 * 3, 60, 300);
    const expected = 1200 / (10800 * Math.exp(300 / 10800) * (Math.exp(1260 / 10800) - 1));
    expect(expectedGoodput(one, seconds(1200)).useful).toBeCloseTo(expected, 12);
  });

  test('has shares that add up to the whole time', () =>
    fc.assert(
      fc.property(anyInterruptions, fc.double({ min: 1, max: 1e5, noNaN: true }), (one, interval) => {
        const shares = expectedGoodput(one, seconds(interval));
        expect(sum(shares)).toBeCloseTo(1, 9);
        for (const share of Object.values(shares) as number[]) expect(share).toBeGreaterThanOrEqual(0);
      }),
    ));

  test('loses to checkpoints alone where nothing is interrupted', () => {
    const shares = expectedGoodput(interruptions(Infinity, 60, 300), seconds(540));
    expect(shares).toEqual({ useful: 0.9, checkpoints: 0.1, rework: 0, restarts: 0 });
  });

  test('is nothing where a stretch is never done', () => {
    expect(expectedGoodput(interruptions(1, 1, 1), seconds(1e6)).useful).toBe(0);
  });

  test('is best at Daly’s interval, to half a percent, and Young’s is near it where checkpoints are short', () =>
    fc.assert(
      fc.property(anyInterruptions, (one) => {
        const useful = (interval: number): number => expectedGoodput(one, seconds(interval)).useful;
        const best = dalyInterval(one);
        const tried = Array.from({ length: 200 }, (_, index) => useful(best * 10 ** ((index - 100) / 100)));
        expect(useful(best)).toBeGreaterThanOrEqual(Math.max(...tried) * 0.995);
        if (one.checkpoint < one.meanTimeBetween / 1000)
          expect(useful(youngInterval(one))).toBeGreaterThanOrEqual(useful(best) * 0.999);
      }),
    ));

  test('grows with the time between interruptions', () =>
    fc.assert(
      fc.property(anyInterruptions, fc.double({ min: 1.01, max: 10, noNaN: true }), (one, factor) => {
        const rarer = { ...one, meanTimeBetween: seconds(one.meanTimeBetween * factor) };
        const at = seconds(1000);
        expect(expectedGoodput(rarer, at).useful).toBeGreaterThan(expectedGoodput(one, at).useful);
      }),
    ));

  test('of more chips is interrupted more often', () => {
    // Grattafiori et al. 2024, table 5: 419 unexpected interruptions in 54 days on 16,384 chips.
    const chipHours = (16384 * 54 * 24) / 419;
    expect(meanTimeBetween(chipHours, 16384) / 3600).toBeCloseTo((54 * 24) / 419, 9);
    expect(meanTimeBetween(chipHours, 2048)).toBeCloseTo(meanTimeBetween(chipHours, 16384) * 8, 6);
  });
});

describe('a run event by event', () => {
  test.each([
    [3600, 60, 300, 700],
    [20000, 120, 600, 2000],
    [1500, 30, 200, 1500],
  ])('has the expected shares: M %d, checkpoint %d, restart %d, interval %d', (m, checkpoint, restart, interval) => {
    const one = interruptions(m, checkpoint, restart);
    const expected = expectedGoodput(one, seconds(interval));
    const draws = Array.from(
      { length: 60 },
      (_, draw) => runTraining(one, seconds(interval), seconds(interval * 400), 7, draw).shares,
    );
    for (const part of ['useful', 'checkpoints', 'rework', 'restarts'] as const) {
      const found = draws.map((shares) => shares[part]);
      const mean = found.reduce((total, share) => total + share, 0) / found.length;
      const variance = found.reduce((total, share) => total + (share - mean) ** 2, 0) / (found.length - 1);
      // Four standard errors, and what the mean of ratios is off by in runs of finite length.
      expect(Math.abs(mean - expected[part])).toBeLessThan(4 * Math.sqrt(variance / found.length) + 0.002);
    }
  });

  test('keeps account of all its time', () =>
    fc.assert(
      fc.property(anyInterruptions, fc.nat(1000), (one, seed) => {
        const interval = dalyInterval(one);
        const { shares, time } = runTraining(one, interval, seconds(interval * 20.5), seed);
        expect(sum(shares)).toBeCloseTo(1, 9);
        expect(shares.useful * time).toBeCloseTo(interval * 20.5, 3);
      }),
    ));

  test('without interruptions takes its work and its checkpoints', () => {
    const { time, interruptions: count } = runTraining(interruptions(Infinity, 10, 5), seconds(90), seconds(900), 1);
    expect({ time, count }).toEqual({ time: 1000, count: 0 });
  });

  test('is the same for the same seed, and another for another', () => {
    const run = (seed: number) =>
      runTrainings(interruptions(3600, 60, 300), seconds(600), seconds(1e5), { draws: 20, seed });
    expect(run(3)).toEqual(run(3));
    expect(run(3).meanTime).not.toBe(run(4).meanTime);
    const { fastTime, meanTime, slowTime } = run(3);
    expect(fastTime).toBeLessThan(meanTime);
    expect(meanTime).toBeLessThan(slowTime);
  });
});
