import { describe, expect, it } from 'vitest';
import type { Tensor } from './reference-run.js';
import { close, random, run } from './reference-run.js';

describe('tokens', () => {
  it('a causal softmax sees no later column, in each square of stacked rows', () => {
    const ones: Tensor = [
      [4, 2],
      [5, 9, 1, 1, -3, 0, 2, 2],
    ];
    const second = 1 / (1 + Math.exp(-3));
    close(run('softmax', { causal: true }, ones)[0], [1, 0, 0.5, 0.5, 1, 0, 0.5, 0.5]);
    close(
      run('softmax', { causal: true }, [
        [2, 2],
        [5, 9, 1, 4],
      ])[0],
      [1, 0, 1 - second, second],
    );
  });

  it('turns the pairs of a head by its position, more slowly from pair to pair', () => {
    const ones: Tensor = [[1, 1, 3, 4], new Array<number>(12).fill(1)];
    const [turned] = run('rotary', { base: 100, inverse: false }, ones);
    const expected = [0, 1, 2].flatMap((position) => {
      const angles = [position, position / 10];
      return [
        ...angles.map((angle) => Math.cos(angle) - Math.sin(angle)),
        ...angles.map((angle) => Math.cos(angle) + Math.sin(angle)),
      ];
    });
    close(turned, expected);
  });

  it('turns back by the inverse', () => {
    const x = random([2, 3, 5, 8], 1);
    const [turned] = run('rotary', { base: 10000, inverse: false }, x);
    close(run('rotary', { base: 10000, inverse: true }, [x[0], turned!])[0], x[1]);
  });

  it('log-sum-exp of parts, joined by log-sum-exp, is that of the whole', () => {
    const whole = Array.from(random([1, 6], 2)[1]);
    const lse = (values: readonly number[]) => run('log_sum_exp', {}, [[1, values.length], values])[0]![0]!;
    expect(lse([lse(whole.slice(0, 2)), lse(whole.slice(2))])).toBeCloseTo(lse(whole), 12);
    expect(lse([1000, 1000])).toBeCloseTo(1000 + Math.log(2), 12);
  });

  it('stacks the heads of a group in the order of the heads', () => {
    const x: Tensor = [
      [1, 4, 2, 1],
      [0, 0, 1, 1, 2, 2, 3, 3],
    ];
    const [stacked] = run('group_heads', { groups: 2 }, x);
    close(stacked, x[1]);
    close(run('ungroup_heads', { heads: 4 }, [[1, 2, 4, 1], stacked!])[0], x[1]);
  });
});
