import fc from 'fast-check';
import { expect, it } from 'vitest';
import { maxMinRates, pathsFrom } from '../../sim/network/index.js';

const ratesOf = (paths: readonly (readonly number[])[], capacities: readonly number[]): number[] =>
  Array.from(
    maxMinRates(
      pathsFrom(paths, (path) => path),
      capacities,
    ),
  );

it('flows on one link share it equally', () => {
  expect(ratesOf([[0], [0], [0], [0]], [8])).toEqual([2, 2, 2, 2]);
});

it('what a flow cannot use goes to the others', () => {
  // The first flow is held to 1 by link 1, so the second gets the rest of link 0.
  expect(ratesOf([[0, 1], [0]], [10, 1])).toEqual([1, 9]);
});

it('a long flow over n links with a short one on each gets half of each', () => {
  expect(ratesOf([[0, 1, 2], [0], [1], [2]], [4, 4, 6])).toEqual([2, 2, 2, 4]);
});

it('a flow without links is not limited', () => {
  expect(ratesOf([[]], [])).toEqual([Infinity]);
});

const networks = fc.integer({ min: 1, max: 6 }).chain((links) =>
  fc.record({
    capacities: fc.array(fc.integer({ min: 1, max: 100 }), { minLength: links, maxLength: links }),
    paths: fc.array(fc.uniqueArray(fc.integer({ min: 0, max: links - 1 }), { minLength: 1 }), {
      minLength: 1,
      maxLength: 12,
    }),
  }),
);

const loadOf = (link: number, paths: readonly number[][], rates: readonly number[]): number =>
  paths.reduce((total, path, flow) => (path.includes(link) ? total + rates[flow]! : total), 0);

it('no link carries more than its capacity', () => {
  fc.assert(
    fc.property(networks, ({ capacities, paths }) => {
      const rates = ratesOf(paths, capacities);
      capacities.forEach((capacity, link) =>
        expect(loadOf(link, paths, rates)).toBeLessThanOrEqual(capacity * (1 + 1e-6)),
      );
    }),
  );
});

it('every flow has a full link on which no other flow is faster', () => {
  fc.assert(
    fc.property(networks, ({ capacities, paths }) => {
      const rates = ratesOf(paths, capacities);
      paths.forEach((path, flow) => {
        const bottleneck = path.some((link) => {
          const full = loadOf(link, paths, rates) >= capacities[link]! * (1 - 1e-6);
          return (
            full && paths.every((other, index) => !other.includes(link) || rates[index]! <= rates[flow]! * (1 + 1e-6))
          );
        });
        expect(bottleneck).toBe(true);
      });
    }),
  );
});
