import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Block } from '../../src/calibrate/index.js';
import { joinBlocks, together } from '../../src/calibrate/index.js';

const time = fc.double({ min: 1e-6, max: 1e-2, noNaN: true });

const block = (at: number, drift: number, seconds: number): Block => ({
  block: at,
  byRanks: [
    {
      ranks: 1,
      spans: { 'probe/0': { median: seconds * drift, mean: 2 * seconds * drift } },
      reference: 1e-3 * drift,
      idle: [{ kernels: 4, seconds: 1e-4 * drift }],
    },
  ],
});

test('a machine that is slower in some blocks is no slower in what they say together, and repeats as well', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0.5, max: 3, noNaN: true }), { minLength: 7, maxLength: 12 }),
      time,
      (drifts, seconds) => {
        const [alone] = joinBlocks(drifts.map((drift, at) => block(at, drift, seconds)));
        const sorted = drifts.toSorted((a, b) => a - b);
        const middle = alone!.reference.value / 1e-3;
        expect(middle).toBeGreaterThanOrEqual(sorted[0]! * 0.999);
        expect(middle).toBeLessThanOrEqual(sorted.at(-1)! * 1.001);
        expect(alone!.median('probe/0').value / (seconds * middle)).toBeCloseTo(1, 9);
        expect(alone!.mean('probe/0').value / (2 * seconds * middle)).toBeCloseTo(1, 9);
        expect(alone!.median('probe/0').repeatability).toBeCloseTo(0, 9);
      },
    ),
  );
});

test('one block that something else disturbed changes nothing', () => {
  const values = [1, 1.01, 0.99, 1.02, 0.98, 1, 1.005];
  const calm = together(values);
  const disturbed = together([...values, 40]);
  expect(disturbed.value).toBeCloseTo(calm.value, 2);
  expect(disturbed.repeatability).toBeLessThan(0.05);
});

test('a number that spreads twice as far repeats half as well', () => {
  const values = Array.from({ length: 11 }, (_, index) => index / 10 - 0.5);
  const spread = (by: number): number => together(values.map((value) => 100 + by * value)).repeatability;
  expect(spread(2) / spread(1)).toBeCloseTo(2, 9);
  // From the 10th to the 90th percentile of values a tenth apart.
  expect(spread(1)).toBeCloseTo(0.8 / 2 / 100, 3);
});
