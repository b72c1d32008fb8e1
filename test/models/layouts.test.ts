import { describe, expect, test } from 'vitest';
import { createMesh, dualStates, globalShape, sameStates } from '../../src/mesh/index.js';
import type { ActivationLayout, ForwardOptions, ModelConfig } from '../../src/models/index.js';
import { ACTIVATION_LAYOUTS, forward } from '../../src/models/index.js';
import type { OpName, Program } from '../../src/program/index.js';
import {
  countCollectiveBytes,
  countMatmulFlops,
  differentiate,
  forEachOp,
  isCollective,
  verify,
} from '../../src/program/index.js';
import { ALL_VARIANTS, SMALL_DECODER, SMALL_VIT } from '../helpers/models.js';

const MESHES = [{}, { data: 2 }, { model: 2 }, { model: 4 }, { data: 2, model: 2 }];
const BATCH = 8;

const of = (
  model: ModelConfig,
  activations: ActivationLayout,
  mesh: { data?: number; model?: number },
  options: Partial<ForwardOptions> = {},
): Program =>
  forward(model, {
    mesh: createMesh(mesh),
    batch: BATCH,
    lossDivisor: BATCH,
    parameterType: 'f32',
    computeType: 'f32',
    activations,
    output: 'loss',
    ...options,
  });

const parametersOf = (program: Program): Map<string, readonly number[]> =>
  new Map(
    program.inputs.flatMap((input) => {
      if (input.kind !== 'parameter') return [];
      const { shape, states } = program.values[input.value]!.type;
      return [[input.name, globalShape(program.mesh, shape, states)]];
    }),
  );

describe.each(ACTIVATION_LAYOUTS)('a stream that is laid out by %s', (activations) => {
  describe.each(Object.entries(ALL_VARIANTS))('%s', (_, model) => {
    const unsharded = of(model, 'width', {});

    test.each(MESHES)('verifies and differentiates on %j', (mesh) => {
      const plain = verify(of(model, activations, mesh));
      const program = verify(differentiate(plain));
      for (const input of program.inputs) {
        if (input.kind !== 'parameter') continue;
        const gradient = program.outputs.find(({ name }) => name === `gradient:${input.name}`)!;
        const { states } = program.values[input.value]!.type;
        const got = program.values[gradient.value]!.type.states;
        expect(sameStates(got, dualStates(program.mesh, states)), input.name).toBe(true);
      }
      expect(parametersOf(plain), 'the same parameters as unsharded').toEqual(parametersOf(unsharded));
    });

    test('gives logits without asking for targets', () => {
      const program = verify(of(model, activations, { data: 2, model: 2 }, { output: 'logits' }));
      expect(program.outputs.map(({ name }) => name)).toEqual(['logits']);
      expect(program.inputs.filter(({ kind }) => kind === 'data')).toHaveLength(1);
    });
  });
});

/** How often collectives over `model` run in a forward pass. */
function launches(program: Program): Partial<Record<OpName, number>> {
  const count: Partial<Record<OpName, number>> = {};
  forEachOp(program.ops, ({ name, attributes }, times) => {
    if ('axis' in attributes && attributes.axis === 'model' && isCollective(name))
      count[name] = (count[name] ?? 0) + times;
  });
  return count;
}

describe('what the layouts cost', () => {
  const mesh = { model: 4 };
  const layers = 2 * SMALL_DECODER.depth;

  test('sequence: a gather before and a scatter after attention and MLP, and norms without a collective', () => {
    // Around the layers: the embedding is scattered, the head's input and the loss' pieces are gathered.
    expect(launches(of(SMALL_DECODER, 'sequence', mesh))).toEqual({
      reduce_scatter: layers + 1,
      all_gather: layers + 2,
    });
  });

  test('replicated: one all-reduce after attention and MLP', () => {
    expect(launches(of(SMALL_DECODER, 'replicated', mesh))).toEqual({ all_reduce: layers + 1, all_gather: 1 });
  });

  test('width: norms reduce their moments too', () => {
    expect(launches(of(SMALL_DECODER, 'width', mesh))).toEqual({
      reduce_scatter: layers + 1,
      all_gather: layers + 2,
      all_reduce: layers + 1,
    });
  });

  test('a gather and a scatter send what an all-reduce does', () => {
    const sent = (activations: ActivationLayout) => countCollectiveBytes(of(SMALL_DECODER, activations, mesh));
    expect(sent('sequence')).toEqual(sent('replicated'));
  });

  test('of a key and value that every chip has whole, the projection shares the gather of the others', () => {
    const shared = { ...SMALL_DECODER, keyValueHeads: 1 };
    for (const activations of ACTIVATION_LAYOUTS)
      expect(launches(of(shared, activations, mesh))).toEqual(launches(of(SMALL_DECODER, activations, mesh)));
  });

  test('matmul FLOPs are the same in all, and divided evenly', () => {
    const flops = (activations: ActivationLayout, on: object) =>
      countMatmulFlops(differentiate(of(SMALL_DECODER, activations, on)));
    for (const activations of ACTIVATION_LAYOUTS)
      expect(flops(activations, mesh).forward * 4).toBe(flops('width', {}).forward);
  });
});

describe.each([SMALL_VIT, SMALL_DECODER])('the loss of $name', (model) => {
  test.each(['bf16', 'f16'] as const)('is taken in f32 where %s is computed in', (computeType) => {
    const program = of(model, 'width', { data: 2, model: 2 }, { computeType });
    const loss = program.outputs[0]!.value;
    expect(program.values[loss]!.type.dtype).toBe('f32');
    expect(verify(differentiate(program)).outputs.length).toBeGreaterThan(1);
  });

  test.each(['f32', 'f64'] as const)('is taken in %s where that is computed in', (type) => {
    const program = of(model, 'width', {}, { computeType: type, parameterType: type });
    expect(program.values[program.outputs[0]!.value]!.type.dtype).toBe(type);
    forEachOp(program.ops, ({ name, id }) => expect(name, id).not.toBe('cast'));
  });
});
