import { describe, expect, test } from 'vitest';
import { createMesh } from '../../src/mesh/index.js';
import type { Attributes, ComputeName, ParameterInput, Program, ValueId } from '../../src/program/index.js';
import { Builder, COMPUTE, differentiate, elementCount, recordOf, verify } from '../../src/program/index.js';
import { interpret, pseudoRandom, relativeError } from '../helpers/interpret.js';
import type { Bound, Tensor } from '../helpers/interpret.js';

interface Case<N extends ComputeName> {
  readonly operands: readonly (readonly number[])[];
  readonly attributes: Attributes[N];
  /** Operands that are data, not differentiated (targets). They are made positive. */
  readonly data?: readonly number[];
  /** Operands that are ids, with their values. */
  readonly ids?: Readonly<Record<number, readonly number[]>>;
  /** Operands that must be positive (second moments). */
  readonly positive?: readonly number[];
}

type Cases = { readonly [N in ComputeName]?: readonly Case<N>[] };

const plain = { transposeA: false, transposeB: false, scale: 1 };
const norm = { centered: false, epsilon: 1e-6 };

/** Every op with a gradient rule; the last test here says which are missing. */
const CASES: Cases = {
  constant: [],
  // Its rule is a sum over ranks: test/program/framework.test.ts holds it against the unsharded step.
  copy_to_shards: [],
  cast: [{ operands: [[2, 3]], attributes: { dtype: 'f64' } }],
  add: [
    {
      operands: [
        [2, 3],
        [2, 3],
      ],
      attributes: {},
    },
    {
      operands: [
        [2, 4, 3],
        [4, 3],
      ],
      attributes: {},
    },
    { operands: [[2, 4, 3], [3]], attributes: {} },
  ],
  multiply: [
    {
      operands: [
        [2, 3],
        [2, 3],
      ],
      attributes: {},
    },
    { operands: [[2, 4, 3], [3]], attributes: {} },
  ],
  scale: [{ operands: [[2, 3]], attributes: { factor: -1.7 } }],
  sum: [
    { operands: [[2, 3, 4]], attributes: { dimensions: [1] } },
    { operands: [[2, 3, 4]], attributes: { dimensions: [0, 2] } },
  ],
  expand: [{ operands: [[2, 3]], attributes: { dimensions: [0, 2], sizes: [4, 5], states: {} } }],
  split: [{ operands: [[2, 7]], attributes: { sizes: [3, 4] } }],
  concat: [
    {
      operands: [
        [2, 3],
        [2, 2],
        [2, 4],
      ],
      attributes: {},
    },
  ],
  split_heads: [{ operands: [[2, 3, 8]], attributes: { headWidth: 4 } }],
  merge_heads: [{ operands: [[2, 3, 4, 2]], attributes: {} }],
  matmul: [
    {
      operands: [
        [3, 4],
        [4, 5],
      ],
      attributes: plain,
    },
    { operands: [[3, 4], [4, 5], [5]], attributes: plain },
    {
      operands: [
        [2, 3, 4],
        [5, 4],
      ],
      attributes: { ...plain, transposeB: true, scale: 0.3 },
    },
    ...[false, true].flatMap((transposeA) =>
      [false, true].map((transposeB) => ({
        operands: [
          [2, ...(transposeA ? [4, 3] : [3, 4])],
          [2, ...(transposeB ? [5, 4] : [4, 5])],
        ],
        attributes: { transposeA, transposeB, scale: 0.7 },
      })),
    ),
  ],
  softmax: [
    { operands: [[2, 3, 5]], attributes: {} },
    { operands: [[2, 6, 3]], attributes: { causal: true } },
  ],
  gelu: [{ operands: [[2, 5]], attributes: {} }],
  silu: [{ operands: [[2, 5]], attributes: {} }],
  embedding: [
    {
      operands: [
        [4, 3],
        [2, 3],
      ],
      attributes: {},
      ids: { 1: [0, 3, 1, 1, 3, 1] },
    },
  ],
  rotary: [
    { operands: [[2, 2, 3, 4]], attributes: { base: 100, inverse: false } },
    { operands: [[1, 2, 3, 6]], attributes: { base: 100, inverse: true } },
  ],
  log_sum_exp: [{ operands: [[2, 3, 5]], attributes: {} }],
  token_cross_entropy: [
    {
      operands: [
        [2, 3, 5],
        [2, 3],
        [2, 3, 1],
      ],
      attributes: { divisor: 6 },
      ids: { 1: [0, 4, 1, 1, 3, 1] },
    },
  ],
  group_heads: [
    { operands: [[2, 4, 3, 2]], attributes: { groups: 2 } },
    { operands: [[2, 4, 3, 2]], attributes: { groups: 1, shared: 'model' } },
  ],
  ungroup_heads: [{ operands: [[2, 2, 6, 3]], attributes: { heads: 4 } }],
  moments: [
    { operands: [[2, 3, 5]], attributes: { centered: false, width: 5 } },
    { operands: [[2, 5]], attributes: { centered: true, width: 5 } },
  ],
  normalize: [
    { operands: [[2, 3, 5], [2, 3, 1], [5]], attributes: norm, positive: [1] },
    { operands: [[2, 3, 5], [2, 3, 1], [5], [5]], attributes: norm, positive: [1] },
    { operands: [[2, 5], [2, 2], [5], [5]], attributes: { ...norm, centered: true }, positive: [1] },
  ],
  extract_patches: [{ operands: [[2, 4, 6, 3]], attributes: { patch: 2 } }],
  assemble_patches: [{ operands: [[2, 6, 12]], attributes: { patch: 2, height: 4, width: 6 } }],
  sigmoid_cross_entropy: [
    {
      operands: [
        [3, 4],
        [3, 4],
      ],
      attributes: { divisor: 3 },
      data: [1],
    },
  ],
  softmax_cross_entropy: [
    {
      operands: [
        [3, 4],
        [3, 4],
      ],
      attributes: { divisor: 3 },
      data: [1],
    },
  ],
};

/** loss = Σ weights · op(parameters…), the weights different for each element of each result. */
function lossOf<N extends ComputeName>(name: N, { operands, attributes, data = [], ids = {} }: Case<N>): Program {
  const builder = new Builder(createMesh({}));
  const values = operands.map((shape, index) =>
    builder.value({ shape, dtype: index in ids ? 'i32' : 'f64', states: {} }, 'parameter'),
  );
  const options = { id: name, phase: 'forward' as const };
  const results = builder.emitAll(name, values, attributes, options);
  const terms = results.map((result, index) => {
    const { shape } = builder.type(result);
    const weights = builder.value({ shape, dtype: 'f64', states: {} }, 'input', `weights-${index}`);
    const weighted = builder.emit('multiply', [result, weights], {}, { id: 'weigh', phase: 'forward' });
    const total = builder.emit(
      'sum',
      [weighted],
      { dimensions: shape.map((_, dimension) => dimension) },
      { id: 'sum', phase: 'forward' },
    );
    return { weights, total };
  });
  const loss = terms
    .map(({ total }) => total)
    .reduce((a, b) => builder.emit('add', [a, b], {}, { id: 'total', phase: 'forward' }));
  const parameter = (value: ValueId, index: number): ParameterInput => ({
    kind: 'parameter',
    value,
    name: `p${index}`,
    group: 'body',
    initializer: { kind: 'zeros' },
    decayed: false,
  });
  return builder.finish(
    [
      ...values.map((value, index) =>
        data.includes(index) || index in ids
          ? ({ kind: 'data', name: 'labels', value } as const)
          : parameter(value, index),
      ),
      ...terms.map(({ weights }) => ({ kind: 'data', name: 'images', value: weights }) as const),
    ],
    [{ name: 'loss', value: loss }],
  );
}

function check<N extends ComputeName>(name: N, example: Case<N>): void {
  const forward = verify(lossOf(name, example));
  const program = verify(differentiate(forward));
  const inputs = new Map<ValueId, Bound>(
    forward.inputs.map(({ value }, index) => {
      const { shape } = forward.values[value]!.type;
      if (example.ids && index in example.ids) return [value, Int32Array.from(example.ids[index]!)];
      const random = pseudoRandom(elementCount(shape), index + 1);
      // Moments: a mean in [-0.2, 0.2] and a mean square well above its square, or any positive mean square.
      if (example.positive?.includes(index)) {
        const isMean = (element: number) => shape.at(-1) === 2 && element % 2 === 0;
        return [value, random.map((x, element) => (isMean(element) ? 0.2 * x : 1.5 + 0.5 * x))];
      }
      return [value, example.data?.includes(index) ? random.map(Math.abs) : random];
    }),
  );
  const results = interpret(program, inputs);
  const loss = (changed: ReadonlyMap<ValueId, Bound>) => (interpret(forward, changed).get('loss') as Tensor)[0]!;
  for (const input of forward.inputs) {
    if (input.kind !== 'parameter') continue;
    const at = inputs.get(input.value) as Float64Array;
    const step = 1e-5;
    const numeric = at.map((_, element) => {
      const shifted = (by: number) =>
        loss(
          new Map(inputs).set(
            input.value,
            at.map((x, index) => (index === element ? x + by : x)),
          ),
        );
      return (shifted(step) - shifted(-step)) / (2 * step);
    });
    const analytic = results.get(`gradient:${input.name}`) as Tensor;
    expect(relativeError(analytic, numeric), `${name}, operand ${input.name}`).toBeLessThan(1e-7);
  }
}

describe('the gradient rule of each op agrees with finite differences in float64', () => {
  for (const name of Object.keys(CASES) as ComputeName[]) {
    CASES[name]!.forEach((example, index) =>
      test(`${name} ${index + 1}`, () => check(name, example as Case<typeof name>)),
    );
  }

  test('every op that has a rule has a case', () => {
    const withRule = (Object.keys(COMPUTE) as ComputeName[]).filter((name) => recordOf(name).vjp !== undefined);
    expect(Object.keys(CASES).sort()).toEqual(withRule.sort());
    for (const name of withRule.filter((one) => one !== 'constant' && one !== 'copy_to_shards'))
      expect(CASES[name]!.length, name).toBeGreaterThan(0);
  });
});
