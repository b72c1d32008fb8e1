import { describe, expect, it } from 'vitest';
import { createRandom, permutation } from '../src/random.js';

const draw = (count: number, ...keys: number[]) => {
  const random = createRandom(...keys);
  return Array.from({ length: count }, () => random.next());
};

describe('seeded random numbers', () => {
  it('are the same for the same keys, today and in a later version', () => {
    expect(draw(4, 7, 1)).toEqual(draw(4, 7, 1));
    expect(draw(3, 7, 1).map((value) => value * 2 ** 32)).toMatchInlineSnapshot(`
      [
        1829069840,
        3310901331,
        3201704048,
      ]
    `);
  });

  it('differ for another key, order of keys, count of keys, or the upper half of a large key', () => {
    const streams = [draw(2, 1, 2), draw(2, 2, 1), draw(2, 1), draw(2, 1, 2, 0), draw(2, 1 + 2 ** 32, 2)];
    expect(new Set(streams.map(String)).size).toBe(streams.length);
  });

  it('are uniform: mean 1/2 and variance 1/12 also over neighbouring keys', () => {
    const values = Array.from({ length: 4000 }, (_, key) => createRandom(0, key).next());
    const mean = values.reduce((sum, value) => sum + value) / values.length;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
    expect(mean).toBeCloseTo(1 / 2, 1);
    expect(variance).toBeCloseTo(1 / 12, 2);
  });

  it('shuffle to a permutation that another epoch does not repeat', () => {
    const order = permutation(50, createRandom(3, 0));
    expect([...order].sort((a, b) => a - b)).toEqual([...Array(50).keys()]);
    expect(order).not.toEqual(permutation(50, createRandom(3, 1)));
  });
});
