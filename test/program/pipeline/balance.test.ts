import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { balanceLayers } from '../../../src/program/index.js';

const even = { embedding: 0, layer: () => 1, head: 0 };

/** All ways to deal layers to stages, inner ones at least one. */
function* ways(layers: number, stages: number, stage = 0): Generator<number[]> {
  const least = stage > 0 && stage < stages - 1 ? 1 : 0;
  if (stage === stages - 1) {
    if (layers >= least) yield [layers];
    return;
  }
  for (let count = least; count <= layers; count++) {
    for (const rest of ways(layers - count, stages, stage + 1)) yield [count, ...rest];
  }
}

describe('balanced layers', () => {
  test('are equal where ends cost nothing and they divide', () => {
    expect(balanceLayers(12, 4, even)).toEqual([3, 3, 3, 3]);
    expect(balanceLayers(7, 1, even)).toEqual([7]);
  });

  test('are fewer beside what else a stage has', () => {
    expect(balanceLayers(10, 4, { ...even, embedding: 1, head: 1 })).toEqual([2, 3, 3, 2]);
    expect(balanceLayers(6, 3, { ...even, head: 3 })).toEqual([3, 3, 0]);
  });

  test('take no longer in any stage than in the best of all ways, and are the most even of those', () => {
    const costs = fc.record({
      layers: fc.integer({ min: 2, max: 6 }),
      stages: fc.integer({ min: 1, max: 4 }),
      embedding: fc.integer({ min: 0, max: 5 }),
      head: fc.integer({ min: 0, max: 5 }),
      each: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 6, maxLength: 6 }),
    });
    fc.assert(
      fc.property(costs, ({ layers, stages, embedding, head, each }) => {
        const of = (counts: readonly number[]) => {
          let next = 0;
          const sums = counts.map((count) => {
            const own = each.slice(next, next + count);
            next += count;
            return own.reduce((a, b) => a + b, 0);
          });
          sums[0]! += embedding;
          sums[sums.length - 1]! += head;
          return { longest: Math.max(...sums), squares: sums.reduce((total, sum) => total + sum ** 2, 0) };
        };
        const all = [...ways(layers, stages)].map(of);
        const longest = Math.min(...all.map((one) => one.longest));
        const squares = Math.min(...all.filter((one) => one.longest === longest).map((one) => one.squares));
        const found = balanceLayers(layers, stages, { embedding, head, layer: (index) => each[index]! });
        expect(found.reduce((a, b) => a + b, 0)).toBe(layers);
        expect(of(found)).toEqual({ longest, squares });
      }),
    );
  });

  test('need a layer in each inner stage', () => {
    expect(balanceLayers(2, 4, even)).toEqual([0, 1, 1, 0]);
    expect(() => balanceLayers(2, 5, even)).toThrow(/PLAN_DOES_NOT_DIVIDE at plan.mesh.pipe/);
  });
});
