/** Small, odd cases of every op, for families to be compared on. */
import type { Attributes, ComputeName } from '../../../src/program/ops/index.js';
import type { Operand } from './operands.js';
import { ids, of, overModel } from './operands.js';

export interface Case<N extends ComputeName> {
  readonly operands: readonly Operand[];
  readonly attributes: Attributes[N];
  /** The rank's place along every axis, 0 unless given. */
  readonly coordinate?: number;
}

const given = <N extends ComputeName>(attributes: Attributes[N], ...operands: Operand[]): Case<N> => ({
  operands,
  attributes,
});

const at = <N extends ComputeName>(coordinate: number, example: Case<N>): Case<N> => ({ ...example, coordinate });

/** `addend`: the shape of a bias, or of the result. */
const matmul = (
  a: number[],
  b: number[],
  rest: { tA?: boolean; tB?: boolean; scale?: number; addend?: number[] } = {},
): Case<'matmul'> => ({
  operands: [of(a), of(b), ...(rest.addend === undefined ? [] : [of(rest.addend)])],
  attributes: { transposeA: rest.tA ?? false, transposeB: rest.tB ?? false, scale: rest.scale ?? 1 },
});
const pending = (operand: Operand): Operand => ({ ...operand, states: { model: 'partial' } });
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
  copy_to_shards: [given({ axis: 'model' }, of([2, 3]))],
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
    matmul([2, 3, 5], [5, 7], { addend: [7] }),
    matmul([2, 3, 5], [7, 5], { tB: true, scale: 0.5, addend: [7] }),
    matmul([2, 3, 5], [5, 7], { scale: -1.5 }),
    matmul([2, 4, 3, 5], [2, 4, 7, 5], { tB: true, scale: 0.125 }),
    matmul([2, 4, 5, 3], [2, 4, 5, 7], { tA: true }),
    matmul([2, 4, 5, 3], [2, 4, 7, 5], { tA: true, tB: true, scale: 3 }),
    matmul([2, 4, 3, 5], [2, 4, 5, 7], { addend: [7] }),
    matmul([1, 1], [1, 1]),
    matmul([3, 5], [5, 7], { addend: [3, 7] }),
    matmul([2, 3, 5], [5, 7], { scale: 0.5, addend: [2, 3, 7] }),
    matmul([2, 3, 5], [7, 5], { tB: true, addend: [2, 3, 7] }),
    matmul([2, 4, 5, 3], [2, 4, 5, 7], { tA: true, scale: -2, addend: [2, 4, 3, 7] }),
  ],
  matmul_weight_gradient: [
    given({}, of([2, 3, 5]), of([2, 3, 7])),
    given({}, of([2, 3, 7]), of([2, 3, 5])),
    given({}, of([11, 5]), of([11, 7])),
    given({}, of([11, 7]), of([11, 5])),
    given({}, of([2, 3, 2, 4]), of([2, 3, 2, 5])),
    given({}, of([2, 3, 5]), of([2, 3, 7]), of([5, 7])),
    given({}, of([11, 7]), of([11, 5]), of([7, 5])),
  ],
  softmax: [
    given({}, of([2, 3, 7])),
    given({}, of([5, 9], 'wide')),
    given({}, of([3, 1])),
    given({ causal: true }, of([2, 7, 7])),
    given({ causal: true }, of([2, 3, 15, 5], 'wide')),
    given({ causal: false }, of([4, 3])),
    ...[0, 1, 3].map((coordinate) =>
      at<'softmax'>(
        coordinate,
        given({ causal: true, tokens: { axis: 'model', parts: 4 } }, overModel(of([2, 12, 16], 'wide'), 1)),
      ),
    ),
  ],
  softmax_backward: [given({}, of([2, 3, 7], 'probability'), of([2, 3, 7]))],
  gelu: [given({}, of([3, 7])), given({}, of([101], 'wide')), given({}, of([]))],
  gelu_backward: [
    given({}, of([3, 7]), of([3, 7])),
    given({}, of([101], 'wide'), of([101])),
    given({}, of([]), of([])),
  ],
  silu: [given({}, of([3, 7])), given({}, of([101], 'wide')), given({}, of([]))],
  silu_backward: [
    given({}, of([3, 7]), of([3, 7])),
    given({}, of([101], 'wide'), of([101])),
    given({}, of([]), of([])),
  ],
  embedding: [
    given({}, of([5, 3]), ids([2, 4], 0, 4, 1, 1, 3, 2, 0, 4)),
    at(0, given({ axis: 'model' }, overModel(of([5, 3]), 0), ids([2, 4], 0, 4, 5, 19, 3, 9, 0, 12))),
    at(2, given({ axis: 'model' }, overModel(of([5, 3]), 0), ids([2, 4], 9, 10, 14, 15, 3, 12, 0, 10))),
    at(3, given({ axis: 'model' }, overModel(of([5, 3]), 0), ids([1, 3], 0, 1, 2))),
  ],
  embedding_backward: [
    given({ rows: 5 }, ids([2, 4], 0, 4, 1, 1, 3, 1, 0, 4), of([2, 4, 3])),
    at(0, given({ rows: 5, axis: 'model' }, ids([2, 4], 0, 4, 5, 19, 3, 0, 0, 12), of([2, 4, 3]))),
    at(2, given({ rows: 5, axis: 'model' }, ids([2, 4], 9, 10, 14, 15, 3, 10, 0, 10), of([2, 4, 3]))),
    at(3, given({ rows: 5, axis: 'model' }, ids([1, 3], 0, 1, 2), of([1, 3, 2]))),
  ],
  rotary: [
    given({ base: 10000, inverse: false }, of([2, 3, 5, 8])),
    given({ base: 10000, inverse: true }, of([2, 3, 5, 8])),
    given({ base: 500000, inverse: false }, of([1, 1, 300, 2])),
    ...[0, 2].map((coordinate) =>
      at<'rotary'>(
        coordinate,
        given({ base: 10000, inverse: true, tokens: { axis: 'model', parts: 4 } }, overModel(of([2, 3, 6, 8]), 2)),
      ),
    ),
  ],
  log_sum_exp: [given({}, of([2, 3, 7])), given({}, of([5, 9], 'wide')), given({}, of([3, 1]))],
  log_sum_exp_backward: [
    given({}, of([2, 3, 7]), of([2, 3, 1], { value: 2.5 }), of([2, 3, 1])),
    // Far from most of its logits.
    given({}, of([2, 9], 'wide'), of([2, 1], { value: 105 }), of([2, 1])),
  ],
  token_cross_entropy: [
    given({ divisor: 8 }, of([2, 4, 5]), ids([2, 4], 0, 4, 1, 1, 3, 1, 0, 4), of([2, 4, 1], 'positive')),
    ...[0, 2].map((coordinate) =>
      at<'token_cross_entropy'>(
        coordinate,
        given(
          { divisor: 8, axis: 'model' },
          overModel(of([2, 4, 5], 'wide'), 2),
          ids([2, 4], 0, 4, 5, 10, 14, 15, 12, 19),
          of([2, 4, 1]),
        ),
      ),
    ),
    at<'token_cross_entropy'>(
      3,
      given({ divisor: 3, axis: 'model' }, overModel(of([1, 2, 5]), 2), ids([1, 2], 3, 0), of([1, 2, 1], 'positive')),
    ),
  ],
  token_cross_entropy_backward: [
    given({ divisor: 8, classes: 5 }, ids([2, 4], 0, 4, 1, 1, 3, 1, 0, 4), of([])),
    ...[0, 2].map((coordinate) =>
      at<'token_cross_entropy_backward'>(
        coordinate,
        given({ divisor: 8, classes: 5, axis: 'model' }, ids([2, 4], 0, 4, 5, 10, 14, 15, 12, 19), of([])),
      ),
    ),
  ],
  group_heads: [given({ groups: 2 }, of([2, 6, 5, 3])), given({ groups: 1 }, of([1, 4, 2, 3]))],
  ungroup_heads: [given({ heads: 6 }, of([2, 2, 15, 3])), given({ heads: 4 }, of([1, 1, 8, 3]))],
  reciprocal: [given({}, of([3, 7], 'positive')), given({}, of([], { value: -1024 }))],
  select: [0, 3].map((condition) =>
    given({}, { ...of([], { value: condition }), dtype: 'f32' }, of([3, 5]), of([3, 5])),
  ),
  count_nonfinite: [
    given({}, of([3, 7])),
    given({}, of([5], { values: [Infinity, 1, NaN, 0, -Infinity] }), of([2, 3]), of([], { value: NaN })),
  ],
  sum_squares: [
    given({ share: 1 }, overModel(of([3, 7]), 1), pending(of([]))),
    given({ share: 1 / 4 }, of([2, 3, 5]), pending(of([], { value: 4 }))),
  ],
  max_absolute: [
    given({}, of([2, 3, 4, 5]), of([1, 1, 1, 1], { value: 0 })),
    given({}, of([2, 3, 4, 5], { value: -7 }), of([1, 1, 1, 1], { value: 3 })),
    given({}, of([2, 2]), of([1, 1], { value: 9 })),
  ],
  update_loss_scale: [
    [1024, 5, 0],
    [1024, 5, 3],
    [1024, 9, 0],
    [1024, 9, 1],
    [4096, 9, 0],
    [1, 2, 7],
  ].map((values) => given({ interval: 10, largest: 4096 }, ...values.map((value) => of([], { value })))),
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
