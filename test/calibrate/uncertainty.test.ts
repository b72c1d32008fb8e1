/** Intervals are as wide as runs are off, and no narrower or wider than few runs tell. */
import { expect, test } from 'vitest';
import { createRandomSource } from '../../src/calibrate/draws.js';
import { misfitOf, repeatabilityOf, scaleOf, studentQuantile } from '../../src/calibrate/index.js';
import type { Deviation } from '../../src/calibrate/index.js';

const alike = (count: number, residual: number, variance = 0.01): Deviation[] =>
  Array.from({ length: count }, () => ({ residual, variance }));
const scale = (deviations: readonly Deviation[], others: Parameters<typeof scaleOf>[1] = []): number =>
  scaleOf(misfitOf(deviations), others);

/** Box and Muller (1958). */
function normals(count: number, deviation: number, seed: number): number[] {
  const random = createRandomSource(seed);
  return Array.from(
    { length: count },
    () => deviation * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()),
  );
}

test('where no run was left out, fits elsewhere say how wrong it is what is expected: they are two runs', () => {
  expect(scaleOf(undefined, [])).toBeCloseTo(studentQuantile(0.9, 2), 9);
  expect(scaleOf(undefined, [{ square: 1, runs: 30 }])).toBeLessThan(0.75 * scaleOf(undefined, []));
});

test('runs that are off as far as expected leave what is expected, by how many they are', () => {
  for (const count of [1, 3, 8, 40]) expect(scale(alike(count, 0.1))).toBeCloseTo(studentQuantile(0.9, count + 2), 9);
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
      const expected = wrong * 0.1;
      const deviations = measured.map((residual) => ({ residual, variance: expected ** 2 }));
      if (Math.abs(next) <= expected * scale(deviations)) inside++;
    }
    expect(inside / trials, `${count} runs, ${wrong} times`).toBeGreaterThan(0.75);
    expect(inside / trials, `${count} runs, ${wrong} times`).toBeLessThan(0.87);
  }
});

test('other families of the machine make up for few runs', () => {
  const few = alike(2, 0.1);
  const more = [{ square: 1, runs: 20 }];
  expect(scale(few, more)).toBeLessThan(0.9 * scale(few));
  expect(scale(few, [{ square: 4, runs: 20 }])).toBeGreaterThan(1.5 * scale(few, more));
});

test('what is kept for other families is the mean square over what was expected', () => {
  expect(misfitOf(alike(5, 0.2))).toEqual({ runs: 5, square: expect.closeTo(4, 9) as number });
});

test('how well a machine repeats a step is told by runs of the same plan, not by how plans differ', () => {
  const plans = [1, 10, 100].map((step) => normals(200, 0.05, step).map((log) => step * Math.exp(log)));
  expect(repeatabilityOf(plans)).toBeCloseTo(1.28 * 0.05, 2);
  expect(repeatabilityOf([[1], [2], [3, 3.1]])).toBeUndefined();
});
