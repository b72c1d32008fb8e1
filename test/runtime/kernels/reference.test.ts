import { describe, expect, it } from 'vitest';
import { erfc } from '../../../src/runtime/kernels/reference/erf.js';
import type { Tensor } from './reference-run.js';
import { close, iota, random, run } from './reference-run.js';

describe('matmul', () => {
  it.each([
    [false, false],
    [false, true],
    [true, false],
    [true, true],
  ])('is its definition (transposeA %s, transposeB %s)', (transposeA, transposeB) => {
    const [batch, m, n, k] = [2, 3, 4, 5];
    const a = random(transposeA ? [batch, k, m] : [batch, m, k], 1);
    const b = random(transposeB ? [batch, n, k] : [batch, k, n], 2);
    const expected: number[] = [];
    for (let item = 0; item < batch; item++) {
      for (let i = 0; i < m; i++) {
        for (let j = 0; j < n; j++) {
          let total = 0;
          for (let p = 0; p < k; p++) {
            const left = a[1][item * m * k + (transposeA ? p * m + i : i * k + p)]!;
            const right = b[1][item * k * n + (transposeB ? j * k + p : p * n + j)]!;
            total += left * right;
          }
          expected.push(0.5 * total);
        }
      }
    }
    close(run('matmul', { transposeA, transposeB, scale: 0.5 }, a, b)[0], expected);
  });

  it('adds the bias after the scale', () => {
    const attributes = { transposeA: false, transposeB: false, scale: 2 };
    close(
      run(
        'matmul',
        attributes,
        [
          [1, 2],
          [1, 2],
        ],
        [
          [2, 1],
          [3, 4],
        ],
        [[1], [100]],
      )[0],
      [122],
    );
  });

  it('has a weight gradient that sums over all leading positions', () => {
    const x = random([2, 3, 4], 3);
    const dy = random([2, 3, 5], 4);
    const transposed = [[6, 4], x[1]] as const;
    const expected = run(
      'matmul',
      { transposeA: true, transposeB: false, scale: 1 },
      [[1, 6, 4], transposed[1]],
      [[1, 6, 5], dy[1]],
    );
    close(run('matmul_weight_gradient', {}, x, dy)[0], expected[0]!);
  });
});

describe('activations', () => {
  it('knows the complementary error function (NIST DLMF, Table 7.23)', () => {
    const known: [number, number][] = [
      [0, 1],
      [0.5, 0.4795001221869535],
      [1, 0.15729920705028513],
      [2, 0.004677734981047266],
      [3, 2.209049699858544e-5],
      [5, 1.5374597944280349e-12],
      [-1, 1.8427007929497148],
      [-5, 2 - 1.5374597944280349e-12],
    ];
    for (const [z, expected] of known) expect(Math.abs(erfc(z) / expected - 1)).toBeLessThan(1e-13);
  });

  it('knows the exact GELU', () => {
    const [result] = run('gelu', {}, [[5], [-1, 0, 1, 2, -3]]);
    close(result, [-0.15865525393145707, 0, 0.8413447460685429, 1.9544997361036416, -0.00404969409489031]);
  });

  it('softmax sums to one, also of large numbers, and keeps their order', () => {
    const [result] = run('softmax', {}, [
      [2, 3],
      [1000, 1001, 999, -5000, 0, 5000],
    ]);
    close(result, [0.24472847105479764, 0.6652409557748218, 0.09003057317038046, 0, 0, 1]);
    expect(result![0]! + result![1]! + result![2]!).toBeCloseTo(1, 14);
  });
});

describe('moves', () => {
  it('sums and expands the dimensions named, in any order', () => {
    close(run('sum', { dimensions: [2, 0] }, iota([2, 3, 2]))[0], [0 + 1 + 6 + 7, 2 + 3 + 8 + 9, 4 + 5 + 10 + 11]);
    close(run('expand', { dimensions: [0, 2], sizes: [2, 2], states: {} }, [[2], [5, 6]])[0], [5, 5, 6, 6, 5, 5, 6, 6]);
  });

  it('splits and joins the last dimension', () => {
    const parts = run('split', { sizes: [1, 2] }, iota([2, 3]));
    close(parts[0], [0, 3]);
    close(parts[1], [1, 2, 4, 5]);
    close(run('concat', {}, [[2, 1], parts[0]!], [[2, 2], parts[1]!])[0], iota([2, 3])[1]);
  });

  it('deals the width over heads', () => {
    const [heads] = run('split_heads', { headWidth: 2 }, iota([1, 2, 4]));
    close(heads, [0, 1, 4, 5, 2, 3, 6, 7]);
    close(run('merge_heads', {}, [[1, 2, 2, 2], heads!])[0], iota([1, 2, 4])[1]);
  });

  it('cuts patches row by row with channels last, and puts them back', () => {
    const image = iota([1, 4, 4, 1]);
    const [patches] = run('extract_patches', { patch: 2 }, image);
    close(patches, [0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15]);
    close(run('assemble_patches', { patch: 2, height: 4, width: 4 }, [[1, 4, 4], patches!])[0], image[1]);
  });
});

describe('normalization', () => {
  it('gives rows of mean 0 and variance 1, before gain and bias', () => {
    const x = random([3, 50], 5);
    const [moments] = run('moments', { centered: true, width: 50 }, x);
    const ones: Tensor = [[50], new Array<number>(50).fill(1)];
    const [y] = run('normalize', { centered: true, epsilon: 0 }, x, [[3, 2], moments!], ones);
    const [after] = run('moments', { centered: true, width: 50 }, [[3, 50], y!]);
    close(after, [0, 1, 0, 1, 0, 1]);
  });

  it('divides partial moments by the whole width', () => {
    close(
      run('moments', { centered: true, width: 4 }, [
        [1, 2],
        [1, 3],
      ])[0],
      [1, 2.5],
    );
    close(
      run('moments', { centered: false, width: 4 }, [
        [1, 2],
        [1, 3],
      ])[0],
      [2.5],
    );
  });
});

describe('losses', () => {
  it('sigmoid cross-entropy is its definition, and is exact for large logits', () => {
    const entropy = (x: number, t: number): number => {
      const p = 1 / (1 + Math.exp(-x));
      return -t * Math.log(p) - (1 - t) * Math.log(1 - p);
    };
    const expected = (entropy(0.3, 0) + entropy(-1.2, 0.25)) / 2;
    close(
      run(
        'sigmoid_cross_entropy',
        { divisor: 2 },
        [
          [1, 2],
          [0.3, -1.2],
        ],
        [
          [1, 2],
          [0, 0.25],
        ],
      )[0],
      [expected],
    );
    close(
      run(
        'sigmoid_cross_entropy',
        { divisor: 1 },
        [
          [1, 2],
          [800, -800],
        ],
        [
          [1, 2],
          [0, 0],
        ],
      )[0],
      [800],
    );
  });

  it('softmax cross-entropy of even logits is the logarithm of the number of classes', () => {
    close(
      run(
        'softmax_cross_entropy',
        { divisor: 1 },
        [
          [1, 4],
          [900, 900, 900, 900],
        ],
        [
          [1, 4],
          [0, 1, 0, 0],
        ],
      )[0],
      [Math.log(4)],
    );
  });
});

describe('updates', () => {
  it('takes a first AdamW step by hand', () => {
    const attributes = { beta1: 0.9, beta2: 0.99, epsilon: 0.5, weightDecay: 0.1 };
    const scalars: Tensor[] = [
      [[], [0.01]],
      [[], [1]],
    ];
    const results = run('adamw', attributes, [[1], [2]], [[1], [3]], [[1], [0]], [[1], [0]], ...scalars);
    // The corrected moments are the gradient and its square: 2 − 0.01 · (3 / (3 + 0.5) + 0.1 · 2).
    close(results[0], [2 - 0.01 * (3 / 3.5 + 0.2)]);
    close(results[1], [0.3]);
    close(results[2], [0.09]);
  });

  it('halves the loss scale after an overflow and doubles it after a streak without', () => {
    const next = (scale: number, steps: number, nonfinite: number) =>
      run('update_loss_scale', { interval: 3, largest: 16 }, [[], [scale]], [[], [steps]], [[], [nonfinite]]).map(
        ([value]) => value,
      );
    expect(next(4, 0, 0)).toEqual([4, 1]);
    expect(next(4, 2, 0)).toEqual([8, 0]);
    expect(next(16, 2, 0)).toEqual([16, 0]);
    expect(next(4, 2, 1)).toEqual([2, 0]);
    expect(next(1, 0, 5)).toEqual([1, 0]);
  });

  it('counts what is infinite or no number, in all operands', () => {
    close(run('count_nonfinite', {}, [[3], [1, NaN, Infinity]], [[2], [-Infinity, 0]])[0], [3]);
  });

  it('takes an SGD step by hand', () => {
    const results = run('sgd', { momentum: 0.9, weightDecay: 0.1 }, [[1], [2]], [[1], [3]], [[1], [10]], [[], [0.5]]);
    close(results[1], [9 + 3 + 0.2]);
    close(results[0], [2 - 0.5 * 12.2]);
  });
});
