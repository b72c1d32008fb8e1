/** Small, odd cases of every op, for families to be compared on. */
import type { Attributes, ComputeName } from '../../../src/program/ops/index.js';
import { filled, normals, uniforms } from './helpers.js';

type Numbers = 'normal' | 'positive' | 'probability' | 'wide' | 'centered moments' | { readonly value: number };

export interface Operand {
  readonly shape: readonly number[];
  readonly numbers: Numbers;
}

export interface Case<N extends ComputeName> {
  readonly operands: readonly Operand[];
  readonly attributes: Attributes[N];
}

const of = (shape: readonly number[], numbers: Numbers = 'normal'): Operand => ({ shape, numbers });
const given = <N extends ComputeName>(attributes: Attributes[N], ...operands: Operand[]): Case<N> => ({
  operands,
  attributes,
});

const matmul = (
  a: number[],
  b: number[],
  rest: { tA?: boolean; tB?: boolean; scale?: number; bias?: number } = {},
): Case<'matmul'> => ({
  operands: [of(a), of(b), ...(rest.bias === undefined ? [] : [of([rest.bias])])],
  attributes: { transposeA: rest.tA ?? false, transposeB: rest.tB ?? false, scale: rest.scale ?? 1 },
});
const rms = { centered: false, epsilon: 1e-6 };
const layer = { centered: true, epsilon: 1e-6 };
const squares = (...leading: number[]): Operand => of([...leading, 1], 'positive');
const both = (...leading: number[]): Operand => of([...leading, 2], 'centered moments');
const adamw = (step: number, weightDecay: number): Case<'adamw'> =>
  given(
    { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay },
    of([5, 7]),
    of([5, 7]),
    of([5, 7]),
    of([5, 7], 'positive'),
    of([], { value: 0.001 }),
    of([], { value: step }),
  );

export const CASES: { readonly [N in ComputeName]: readonly Case<N>[] } = {
  constant: [
    given({ shape: [3, 5], value: 1.5, dtype: 'f32', states: {} }),
    given({ shape: [], value: -2, dtype: 'f32', states: {} }),
  ],
  cast: [given({ dtype: 'f32' }, of([3, 5]))],
  add: [
    given({}, of([2, 3, 5]), of([2, 3, 5])),
    given({}, of([2, 3, 5]), of([3, 5])),
    given({}, of([2, 3, 5]), of([5])),
    given({}, of([2, 3]), of([])),
    given({}, of([]), of([])),
  ],
  multiply: [given({}, of([2, 3, 5]), of([2, 3, 5])), given({}, of([2, 3, 5]), of([5])), given({}, of([7]), of([]))],
  scale: [given({ factor: -0.37 }, of([3, 5])), given({ factor: 2 }, of([]))],
  sum: [
    given({ dimensions: [0, 1] }, of([2, 3, 5])),
    given({ dimensions: [1] }, of([2, 3, 5])),
    given({ dimensions: [2, 0] }, of([2, 3, 5])),
    given({ dimensions: [0, 1] }, of([3, 5])),
    given({ dimensions: [] }, of([3, 5])),
  ],
  expand: [
    given({ dimensions: [0, 1], sizes: [2, 3], states: {} }, of([5])),
    given({ dimensions: [1], sizes: [3], states: {} }, of([2, 5])),
    given({ dimensions: [2, 0], sizes: [5, 2], states: {} }, of([3])),
    given({ dimensions: [0, 1], sizes: [3, 2], states: {} }, of([])),
    given({ dimensions: [], sizes: [], states: {} }, of([3])),
  ],
  split: [given({ sizes: [1, 4, 2] }, of([2, 3, 7])), given({ sizes: [5] }, of([3, 5]))],
  concat: [given({}, of([2, 3, 1]), of([2, 3, 4]), of([2, 3, 2])), given({}, of([3, 5]))],
  split_heads: [given({ headWidth: 3 }, of([2, 5, 12]))],
  merge_heads: [given({}, of([2, 4, 5, 3]))],
  matmul: [
    matmul([3, 5], [5, 7]),
    matmul([2, 3, 5], [5, 7], { bias: 7 }),
    matmul([2, 3, 5], [7, 5], { tB: true, scale: 0.5, bias: 7 }),
    matmul([2, 3, 5], [5, 7], { scale: -1.5 }),
    matmul([2, 4, 3, 5], [2, 4, 7, 5], { tB: true, scale: 0.125 }),
    matmul([2, 4, 5, 3], [2, 4, 5, 7], { tA: true }),
    matmul([2, 4, 5, 3], [2, 4, 7, 5], { tA: true, tB: true, scale: 3 }),
    matmul([2, 4, 3, 5], [2, 4, 5, 7], { bias: 7 }),
    matmul([1, 1], [1, 1]),
  ],
  matmul_weight_gradient: [
    given({}, of([2, 3, 5]), of([2, 3, 7])),
    given({}, of([2, 3, 7]), of([2, 3, 5])),
    given({}, of([11, 5]), of([11, 7])),
    given({}, of([11, 7]), of([11, 5])),
    given({}, of([2, 3, 2, 4]), of([2, 3, 2, 5])),
  ],
  softmax: [given({}, of([2, 3, 7])), given({}, of([5, 9], 'wide')), given({}, of([3, 1]))],
  softmax_backward: [given({}, of([2, 3, 7], 'probability'), of([2, 3, 7]))],
  gelu: [given({}, of([3, 7])), given({}, of([101], 'wide')), given({}, of([]))],
  gelu_backward: [
    given({}, of([3, 7]), of([3, 7])),
    given({}, of([101], 'wide'), of([101])),
    given({}, of([]), of([])),
  ],
  moments: [
    given({ centered: false, width: 7 }, of([2, 3, 7])),
    given({ centered: true, width: 7 }, of([2, 3, 7])),
    given({ centered: true, width: 28 }, of([3, 7])),
    given({ centered: true, width: 7 }, of([7])),
  ],
  moments_backward: [
    given({ centered: false, width: 7 }, of([2, 3, 7]), of([2, 3, 1])),
    given({ centered: true, width: 28 }, of([2, 3, 7]), of([2, 3, 2])),
    given({ centered: true, width: 7 }, of([7]), of([2])),
  ],
  normalize: [
    given(rms, of([2, 3, 7]), squares(2, 3), of([7])),
    given(rms, of([2, 3, 7]), squares(2, 3), of([7]), of([7])),
    given(layer, of([2, 3, 7]), both(2, 3), of([7])),
    given(layer, of([2, 3, 7]), both(2, 3), of([7]), of([7])),
    given(layer, of([7]), both(), of([7]), of([7])),
  ],
  normalize_backward_input: [
    given(rms, of([2, 3, 7]), squares(2, 3), of([7])),
    given(layer, of([2, 3, 7]), both(2, 3), of([7])),
  ],
  normalize_backward_moments: [
    given(rms, of([2, 3, 7]), of([2, 3, 7]), squares(2, 3), of([7])),
    given(layer, of([2, 3, 7]), of([2, 3, 7]), both(2, 3), of([7])),
    given(layer, of([7]), of([7]), both(), of([7])),
  ],
  normalize_backward_gain: [
    given(rms, of([2, 3, 7]), of([2, 3, 7]), squares(2, 3)),
    given(layer, of([2, 3, 7]), of([2, 3, 7]), both(2, 3)),
    given(layer, of([7]), of([7]), both()),
  ],
  extract_patches: [given({ patch: 2 }, of([2, 4, 6, 3])), given({ patch: 1 }, of([1, 2, 3, 1]))],
  assemble_patches: [given({ patch: 2, height: 4, width: 6 }, of([2, 6, 12]))],
  sigmoid_cross_entropy: [
    given({ divisor: 6 }, of([3, 7]), of([3, 7], 'probability')),
    given({ divisor: 3 }, of([3, 7], 'wide'), of([3, 7], 'probability')),
  ],
  sigmoid_cross_entropy_backward: [
    given({ divisor: 6 }, of([3, 7]), of([3, 7], 'probability'), of([])),
    given({ divisor: 3 }, of([3, 7], 'wide'), of([3, 7], 'probability'), of([])),
  ],
  softmax_cross_entropy: [
    given({ divisor: 6 }, of([3, 7]), of([3, 7], 'probability')),
    given({ divisor: 3 }, of([3, 7], 'wide'), of([3, 7], 'positive')),
  ],
  softmax_cross_entropy_backward: [
    given({ divisor: 6 }, of([3, 7]), of([3, 7], 'probability'), of([])),
    given({ divisor: 3 }, of([3, 7], 'wide'), of([3, 7], 'positive'), of([])),
  ],
  adamw: [adamw(1, 0), adamw(1, 0.03), adamw(1000, 3), adamw(177000, 0.03)],
  sgd: [
    given({ momentum: 0.9, weightDecay: 0.1 }, of([5, 7]), of([5, 7]), of([5, 7]), of([], { value: 0.01 })),
    given({ momentum: 0, weightDecay: 0 }, of([7]), of([7]), of([7]), of([], { value: 0.01 })),
  ],
};

/** An operand's numbers, of a kind that means something to the op. */
export function numbersOf({ shape, numbers }: Operand, seed: number): Float64Array {
  const uniform = uniforms(seed);
  const normal = normals(seed);
  const width = shape.at(-1) ?? 1;
  if (typeof numbers === 'object') return filled(shape, () => numbers.value);
  switch (numbers) {
    case 'normal':
      return filled(shape, normal);
    case 'wide':
      // So large that an exponential overflows float32.
      return filled(shape, () => 60 * normal());
    case 'positive':
      return filled(shape, () => 0.5 + uniform());
    case 'probability': {
      const raw = filled(shape, () => 0.1 + uniform());
      return raw.map((value, index) => {
        const start = index - (index % width);
        return Math.fround(value / raw.subarray(start, start + width).reduce((total, other) => total + other, 0));
      });
    }
    case 'centered moments': {
      const means = filled(shape, normal);
      return means.map((value, index) =>
        index % 2 === 0 ? value : Math.fround(means[index - 1]! ** 2 + 0.5 + uniform()),
      );
    }
  }
}
