import { describe, expect, it } from 'vitest';
import { recordOf } from '../../../src/program/ops/index.js';
import type { Attributes, ComputeName } from '../../../src/program/ops/index.js';
import type { HostTensor } from '../../../src/runtime/kernels/index.js';
import { erfc } from '../../../src/runtime/kernels/reference/erf.js';
import { evaluate } from '../../../src/runtime/kernels/reference/index.js';
import { filled, normals, single, type } from './helpers.js';

type Tensor = readonly [shape: readonly number[], values: ArrayLike<number>];

function run<N extends ComputeName>(name: N, attributes: Attributes[N], ...tensors: Tensor[]): HostTensor[] {
  const types = tensors.map(([shape]) => type(shape));
  const results = recordOf(name).infer(types, attributes, single);
  const operands = tensors.map(([, values]) => Float64Array.from(values));
  return evaluate(
    { name, id: name, phase: 'forward', operands: [], results: [], attributes },
    types,
    results,
    operands,
  );
}

const random = (shape: readonly number[], seed: number): Tensor => [shape, filled(shape, normals(seed))];
const iota = (shape: readonly number[]): Tensor => [
  shape,
  Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i),
];
const close = (got: HostTensor | undefined, expected: ArrayLike<number>, digits = 12): void => {
  expect(got).toHaveLength(expected.length);
  Array.from(expected).forEach((value, index) => expect(got![index]).toBeCloseTo(value, digits));
};

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
    const [stacked] = run('group_heads', { groups: 2, shared: false }, x);
    close(stacked, x[1]);
    close(run('ungroup_heads', { heads: 4, shared: false }, [[1, 2, 4, 1], stacked!])[0], x[1]);
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
