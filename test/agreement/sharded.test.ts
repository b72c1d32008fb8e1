import { describe, expect, test } from 'vitest';
import { ACTIVATION_LAYOUTS } from '../../src/models/index.js';
import type { OptimizerConfig } from '../../src/program/index.js';
import { DEFAULT_ADAMW, REMATERIALIZATIONS } from '../../src/program/index.js';
import type { HostTensor } from '../../src/runtime/index.js';
import { relativeError } from '../helpers/interpret.js';
import { DECODER_VARIANTS, SMALL_VIT, VARIANTS } from '../helpers/models.js';
import type { AgreementCase } from './run.js';
import { runCase } from './run.js';

const SGD: OptimizerConfig = { kind: 'sgd', momentum: 0.9, weightDecay: 0.01, classifierWeightDecay: 0.1 };
const SHARDED = { mesh: { data: 2, model: 2 }, microbatches: 2, batch: 8, steps: 2 } as const;
const SINGLE = { ...SHARDED, mesh: {}, microbatches: 1 } as const;

/** The worst tensor and its error. */
async function worst(
  base: Pick<AgreementCase, 'model' | 'optimizer' | 'family'>,
  sharded: Omit<AgreementCase, keyof typeof base> = SHARDED,
) {
  const one = await runCase({ ...base, ...SINGLE });
  const many = await runCase({ ...base, ...sharded });
  expect([...many.tensors.keys()].sort()).toEqual([...one.tensors.keys()].sort());
  expect(many.sentBytes, 'bytes counted in the transport are what the program says').toBeCloseTo(many.countedBytes, 0);
  return [...one.tensors]
    .map(([name, tensor]) => ({ name, error: errorOf(many.tensors.get(name)!, tensor, one.tensors) }))
    .reduce((a, b) => (b.error > a.error ? b : a));
}

const norm = (values: ArrayLike<number>): number => relativeError(values, new Float64Array(values.length));

/**
 * Relative L2 error; relative to a millionth of the largest tensor's norm where a tensor is smaller than that: a bias
 * of the key norm, say, has no gradient (softmax does not see what is added to all scores), only rounding.
 */
function errorOf(got: HostTensor, expected: HostTensor, all: ReadonlyMap<string, HostTensor>): number {
  const floor = 1e-6 * Math.max(...[...all.values()].map(norm));
  return norm(expected) >= floor
    ? relativeError(got, expected)
    : norm(Float64Array.from(got, (x, i) => x - expected[i]!)) / floor;
}

describe('a 2 × 2 run and a 1-rank run agree on every gradient and every updated parameter', () => {
  for (const [name, model] of Object.entries(VARIANTS)) {
    test(`float64, SGD: ${name}`, async () => {
      expect((await worst({ model, optimizer: SGD, family: 'reference' })).error).toBeLessThan(1e-9);
    });
  }

  for (const rematerialize of REMATERIALIZATIONS.filter((how) => how !== 'none')) {
    test(`float64, SGD, rematerialize ${rematerialize}`, async () => {
      const sharded = { ...SHARDED, rematerialize };
      const { error } = await worst({ model: SMALL_VIT, optimizer: SGD, family: 'reference' }, sharded);
      expect(error).toBeLessThan(1e-9);
    });
  }

  for (const activations of ACTIVATION_LAYOUTS.filter((layout) => layout !== 'width')) {
    for (const name of ['as ViT-22B', 'mean pooling', 'classical']) {
      test(`float64, SGD, stream by ${activations}: ${name}`, async () => {
        const base = { model: VARIANTS[name]!, optimizer: SGD, family: 'reference' } as const;
        expect((await worst(base, { ...SHARDED, activations })).error).toBeLessThan(1e-9);
        expect((await worst(base, { ...SHARDED, activations, mesh: { model: 4 } })).error).toBeLessThan(1e-9);
      });
    }
  }

  for (const [name, model] of Object.entries(DECODER_VARIANTS)) {
    for (const activations of ACTIVATION_LAYOUTS) {
      test(`float64, SGD, stream by ${activations}: decoder ${name}`, async () => {
        const base = { model, optimizer: SGD, family: 'reference' } as const;
        expect((await worst(base, { ...SHARDED, activations })).error).toBeLessThan(1e-9);
        expect((await worst(base, { ...SHARDED, activations, mesh: { model: 4 } })).error).toBeLessThan(1e-9);
      });
    }
  }

  test('float64, AdamW', async () => {
    expect((await worst({ model: SMALL_VIT, optimizer: DEFAULT_ADAMW, family: 'reference' })).error).toBeLessThan(1e-9);
  });

  test('float32 on onnxruntime, SGD', async () => {
    expect((await worst({ model: SMALL_VIT, optimizer: SGD, family: 'onnx' })).error).toBeLessThan(1e-4);
  });

  test('float32 on onnxruntime, AdamW', async () => {
    expect((await worst({ model: SMALL_VIT, optimizer: DEFAULT_ADAMW, family: 'onnx' })).error).toBeLessThan(1e-4);
  });

  test('rows that do not divide over `model`: every rank has all logits', async () => {
    const sharded = { mesh: { data: 1, model: 4 }, microbatches: 4, batch: 8, steps: 1 };
    const one = await runCase({
      model: SMALL_VIT,
      optimizer: SGD,
      family: 'reference',
      ...sharded,
      mesh: {},
      microbatches: 1,
    });
    const many = await runCase({ model: SMALL_VIT, optimizer: SGD, family: 'reference', ...sharded });
    for (const [name, tensor] of one.tensors)
      expect(relativeError(many.tensors.get(name)!, tensor), name).toBeLessThan(1e-9);
  });
});
