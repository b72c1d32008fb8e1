/** Pipelines against one unsharded rank, and against the same plan without a pipeline, in float64. */
import { describe, expect, test } from 'vitest';
import { REMATERIALIZATIONS, SHARD_STAGES } from '../../../src/program/index.js';
import type { HostTensor } from '../../../src/runtime/index.js';
import { numbersOf } from '../../../src/runtime/kernels/tensors.js';
import type { PlanCase, StepCase } from '../../agreement/case.js';
import { interpretStep, OPTIMIZERS, UNSHARDED, worstTensor } from '../../agreement/case.js';
import { DECODER_VARIANTS, SMALL_DECODER, SMALL_VIT } from '../../helpers/models.js';
import type { Order, PipeCase } from './run.js';
import { gpipe, interpretPipeline, oneForwardOneBackward } from './run.js';

const MODELS = {
  vit: { ...SMALL_VIT, depth: 4 },
  decoder: { ...SMALL_DECODER, depth: 4, vocabulary: 16 },
  'tied decoder': { ...DECODER_VARIANTS['as GPT']!, depth: 4 },
} as const;
type ModelName = keyof typeof MODELS;
const MODEL_NAMES = Object.keys(MODELS) as ModelName[];

const PIPES = {
  'two even stages': { layers: [2, 2], placement: [[0], [1]] },
  'two uneven stages': { layers: [3, 1], placement: [[0], [1]] },
  'four even stages': { layers: [1, 1, 1, 1], placement: [[0], [1], [2], [3]] },
  'four stages, embedding and head alone': { layers: [0, 1, 3, 0], placement: [[0], [1], [2], [3]] },
  'two stages of two chunks': {
    layers: [1, 1, 1, 1],
    placement: [
      [0, 2],
      [1, 3],
    ],
  },
  'two stages folded into a V': {
    layers: [1, 1, 2, 0],
    placement: [
      [0, 3],
      [1, 2],
    ],
  },
} as const;

const types = { parameterType: 'f64', computeType: 'f64' } as const;
const base = { batch: 8, optimizer: OPTIMIZERS.adamw, ...types };
const expected = new Map<string, ReadonlyMap<string, HostTensor>>();
function unpipelined(model: ModelName): ReadonlyMap<string, HostTensor> {
  const known = expected.get(model) ?? interpretStep({ ...base, model: MODELS[model], plan: UNSHARDED });
  expected.set(model, known);
  return known;
}

function agrees(model: ModelName, plan: PlanCase, pipe: PipeCase, order: Order): void {
  const example: StepCase = { ...base, model: MODELS[model], plan };
  const { name, error } = worstTensor(interpretPipeline(example, pipe, order), unpipelined(model));
  expect(error, name).toBeLessThan(1e-9);
}

const SPLIT = { ...PIPES['two uneven stages'], splitBackward: true };
const shard = (stage: (typeof SHARD_STAGES)[number]) =>
  ({ stage, axes: ['data'], minimumElements: 0, prefetch: 1 }) as const;

describe.each(MODEL_NAMES)('%s', (model) => {
  describe.each(Object.entries(PIPES))('%s', (_, pipe) => {
    test.each([false, true])('one rank a stage, weights apart: %s', (splitBackward) => {
      agrees(model, { mesh: {}, microbatches: 4 }, { ...pipe, splitBackward }, oneForwardOneBackward);
    });
  });
});

describe('agrees', () => {
  test.each([1, 2, 4])('with %i microbatches', (microbatches) => {
    agrees('decoder', { mesh: { data: 2 }, microbatches }, SPLIT, oneForwardOneBackward);
  });

  describe.each(SHARD_STAGES)('with shard=%s', (stage) => {
    test.each([false, true])('overlapping its gradients: %s', (overlapGradients) => {
      const plan = { mesh: { data: 2 }, microbatches: 2, shard: shard(stage), overlapGradients };
      agrees('tied decoder', plan, SPLIT, gpipe);
      agrees('vit', { ...plan, microbatches: 1 }, { ...SPLIT, splitBackward: false }, gpipe);
    });
  });

  test.each(REMATERIALIZATIONS)('with rematerialize=%s', (rematerialize) => {
    const plan = { mesh: { model: 2 }, microbatches: 2, rematerialize };
    agrees('vit', plan, SPLIT, gpipe);
    agrees('tied decoder', { ...plan, rematerializeLayers: [1, 3] }, { ...SPLIT, layers: [2, 2] }, gpipe);
  });

  test.each(['width', 'sequence', 'replicated'] as const)('with activations=%s', (activations) => {
    const plan = { mesh: { data: 2, model: 2 }, microbatches: 2, activations };
    agrees('decoder', plan, SPLIT, gpipe);
    agrees('vit', { ...plan, linears: 'bidirectional' }, { ...SPLIT, splitBackward: false }, gpipe);
  });
});

test.each([false, true])(
  'in f32 and bf16 a step is that of the same plan without a pipeline, bit for bit; weights apart: %s',
  (splitBackward) => {
    const plan: PlanCase = {
      mesh: { data: 2, model: 2 },
      microbatches: 2,
      rematerialize: 'selective',
      shard: shard('gradients'),
      gradientType: 'bf16',
      optimizerType: 'bf16',
    };
    const example: StepCase = {
      ...base,
      model: MODELS.decoder,
      plan,
      parameterType: 'f32',
      computeType: 'bf16',
    };
    const one = interpretStep(example);
    const got = interpretPipeline(example, { ...SPLIT, splitBackward }, gpipe);
    expect([...got.keys()].toSorted()).toEqual([...one.keys()].toSorted());
    for (const [name, tensor] of one) expect([...numbersOf(got.get(name)!)], name).toEqual([...numbersOf(tensor)]);
  },
);
