import { describe, expect, test } from 'vitest';
import { createMesh, dualStates, globalShape, sameStates } from '../../src/mesh/index.js';
import type { ActivationLayout, ForwardOptions, ModelConfig } from '../../src/models/index.js';
import { ACTIVATION_LAYOUTS, forward } from '../../src/models/index.js';
import type { Op, Program } from '../../src/program/index.js';
import {
  countCollectiveBytes,
  countMatmulFlops,
  differentiate,
  forEachOp,
  print,
  verify,
} from '../../src/program/index.js';
import { ALL_VARIANTS, DECODER_VARIANTS, SMALL_DECODER, SMALL_VIT } from '../helpers/models.js';

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
