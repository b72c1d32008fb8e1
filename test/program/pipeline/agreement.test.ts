import { describe, expect, test } from 'vitest';
import type { HostTensor } from '../../../src/runtime/index.js';
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
    layers: [1, 2, 0, 1].with(2, 1).with(1, 1),
    placement: [
      [0, 3],
      [1, 2],
    ],
  },
} as const;

const types = { parameterType: 'f64', computeType: 'f64' } as const;
const base = { batch: 8, optimizer: OPTIMIZERS.adamw, ...types };
const expected = new Map<string, ReadonlyMap<string, HostTensor>>();
function unpipelined(model: keyof typeof MODELS): ReadonlyMap<string, HostTensor> {
  const known = expected.get(model) ?? interpretStep({ ...base, model: MODELS[model], plan: UNSHARDED });
  expected.set(model, known);
  return known;
}

function agrees(model: keyof typeof MODELS, plan: PlanCase, pipe: PipeCase, order: Order): void {
  const example: StepCase = { ...base, model: MODELS[model], plan };
  const { name, error } = worstTensor(interpretPipeline(example, pipe, order), unpipelined(model));
  expect(error, name).toBeLessThan(1e-9);
}

describe.each(Object.keys(MODELS) as (keyof typeof MODELS)[])('%s', (model) => {
  describe.each(Object.entries(PIPES))('%s', (_, pipe) => {
    test.each([false, true])('one rank a stage, weights apart: %s', (splitBackward) => {
      agrees(model, { mesh: {}, microbatches: 4 }, { ...pipe, splitBackward }, oneForwardOneBackward);
    });
    test('data=2,model=2', () => {
      const plan = { mesh: { data: 2, model: 2 }, microbatches: 2 } as const;
      agrees(model, plan, { ...pipe, splitBackward: true }, gpipe);
    });
  });
});
