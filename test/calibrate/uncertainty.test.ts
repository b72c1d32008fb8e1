/** Intervals are as wide as runs are off, and no narrower or wider than few runs tell. */
import { expect, test } from 'vitest';
import type { Deviation, UncertaintyOptions } from '../../src/calibrate/index.js';
import { createRandomSource } from '../../src/calibrate/draws.js';
import { misfitOf, studentQuantile, uncertaintyOf } from '../../src/calibrate/index.js';

const none = { repeatability: 0, others: [], source: 'a test' };
const widthOf = (deviations: readonly Deviation[], options: Partial<UncertaintyOptions> = {}) =>
  Math.log(uncertaintyOf(deviations, { ...none, ...options })!.p90);
const alike = (count: number, residual: number, variance = 0.01): Deviation[] =>
  Array.from({ length: count }, () => ({ residual, variance }));

/** Box and Muller (1958). */
function normals(count: number, deviation: number, seed: number): number[] {
  const random = createRandomSource(seed);
  return Array.from(
    { length: count },
    () => deviation * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()),
  );
}

test('one run says nothing of how far off the next one is', () => {
  expect(uncertaintyOf(alike(1, 0.1), none)).toBeUndefined();
});

test('runs that are off as far as expected leave what is expected, by how many they are', () => {
  for (const count of [3, 8, 40])
    expect(widthOf(alike(count, 0.1))).toBeCloseTo(0.1 * studentQuantile(0.9, count + 2), 2);
});

test('four of five runs to come lie inside, however many were measured and however wrong what was expected is', () => {
  for (const [count, wrong] of [
    [4, 1],
    [8, 1],
    [40, 0.5],
    [40, 2],
  ] as const) {
    let inside = 0;
    const trials = 800;
    for (let trial = 0; trial < trials; trial++) {
      const [next, ...measured] = normals(count + 1, 0.1, trial * 7919 + count) as [number, ...number[]];
      const deviations = measured.map((residual) => ({ residual, variance: (wrong * 0.1) ** 2 }));
      if (Math.abs(next) <= widthOf(deviations)) inside++;
    }
    expect(inside / trials, `${count} runs, ${wrong} times`).toBeGreaterThan(0.75);
    expect(inside / trials, `${count} runs, ${wrong} times`).toBeLessThan(0.87);
  }
});

test('other families of the machine make up for few runs', () => {
  const [few, more] = [alike(2, 0.1), { others: [{ square: 1, runs: 20 }] }];
  expect(widthOf(few, more)).toBeLessThan(0.9 * widthOf(few));
  expect(widthOf(few, { others: [{ square: 4, runs: 20 }] })).toBeGreaterThan(1.5 * widthOf(few, more));
});

test('no interval is narrower than steps repeat', () => {
  expect(widthOf(alike(50, 0.001), { repeatability: 0.2 })).toBeCloseTo(0.2, 2);
});

test('what is kept for other families is the mean square over what was expected', () => {
  expect(misfitOf(alike(5, 0.2))).toEqual({ runs: 5, square: expect.closeTo(4, 9) as number });
});
