/** Random pipelines of random small models under random plans, in random orders of slots. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ModelConfig } from '../../../src/models/index.js';
import { LINEAR_MODES, REMATERIALIZATIONS, SHARD_STAGES } from '../../../src/program/index.js';
import type { PlanCase } from '../../agreement/case.js';
import { interpretStep, OPTIMIZERS, UNSHARDED, worstTensor } from '../../agreement/case.js';
import { SMALL_DECODER, SMALL_VIT } from '../../helpers/models.js';
import type { Order, PipeCase } from './run.js';
import { interpretPipeline } from './run.js';

const shard = fc.record({
  stage: fc.constantFrom(...SHARD_STAGES),
  axes: fc.constantFrom<readonly ('data' | 'model')[]>(['data'], ['data', 'model']),
  minimumElements: fc.constantFrom(0, 50, 200),
  prefetch: fc.constantFrom(0, 1, 2),
});

const plans: fc.Arbitrary<PlanCase> = fc
  .record(
    {
      mesh: fc.constantFrom({}, { data: 2 }, { model: 2 }, { data: 2, model: 2 }, { replica: 2, data: 2 }),
      microbatches: fc.constantFrom(1, 2, 4),
      activations: fc.constantFrom('width', 'sequence', 'replicated'),
      rematerialize: fc.constantFrom(...REMATERIALIZATIONS),
      rematerializeLayers: fc.constantFrom([0], [1], [0, 2]),
      linears: fc.constantFrom(...LINEAR_MODES),
      shard,
      bucketBytes: fc.constantFrom(100, 1000),
      overlapGradients: fc.boolean(),
    },
    { requiredKeys: ['mesh', 'microbatches', 'activations', 'linears'] },
  )
  .map((plan) => plan as PlanCase);

/** Layers of `virtual` stages, at least one in each inner one. */
const pipes: fc.Arbitrary<PipeCase> = fc
  .record({
    stages: fc.constantFrom(1, 2, 3),
    chunks: fc.constantFrom(1, 2),
    ends: fc.tuple(fc.integer({ min: 0, max: 2 }), fc.integer({ min: 0, max: 2 })),
    inner: fc.array(fc.integer({ min: 1, max: 2 }), { minLength: 4, maxLength: 4 }),
    fold: fc.boolean(),
    splitBackward: fc.boolean(),
  })
  .map(({ stages, chunks, ends, inner, fold, splitBackward }) => {
    const count = stages * chunks;
    // The model has a layer at least.
    const layers =
      count === 1 ? [ends[0] + 1] : [ends[0] + (count === 2 ? 1 : 0), ...inner.slice(0, count - 2), ends[1]];
    const stageOf = (virtual: number): number =>
      fold && virtual >= stages ? 2 * stages - 1 - virtual : virtual % stages;
    const placement = Array.from({ length: stages }, (_, stage) =>
      Array.from(layers.keys()).filter((virtual) => stageOf(virtual) === stage),
    );
    return { layers, placement, splitBackward };
  });

const models: fc.Arbitrary<ModelConfig> = fc.oneof(
  fc
    .record({
      mlpWidth: fc.constantFrom(8, 24),
      pooling: fc.constantFrom('attention', 'mean'),
      parallelLayers: fc.boolean(),
      queryKeyNorm: fc.boolean(),
      omitBiases: fc.boolean(),
    })
    .map((config) => ({ ...SMALL_VIT, ...config })),
  fc
    .record({
      keyValueHeads: fc.constantFrom(1, 4),
      gatedMlp: fc.boolean(),
      positions: fc.constantFrom('rotary', 'learned'),
      norm: fc.constantFrom('rms', 'layer'),
      biases: fc.boolean(),
      parallelLayers: fc.boolean(),
      tiedHead: fc.boolean(),
    })
    .map((config) => ({ ...SMALL_DECODER, ...config, vocabulary: 16, sequence: 4 })),
);

test('agree with one unsharded rank in float64', { timeout: 240_000 }, () => {
  const orders = fc.array(fc.nat(), { minLength: 8, maxLength: 8 }).map((picks): Order => {
    return (ready, done) => ready[picks[done.length % picks.length]! % ready.length]!;
  });
  fc.assert(
    fc.property(models, plans, pipes, orders, (shape, plan, pipe, order) => {
      const model = { ...shape, depth: pipe.layers.reduce((sum, count) => sum + count, 0) };
      const base = { model, optimizer: OPTIMIZERS.sgd, batch: 8, parameterType: 'f64', computeType: 'f64' } as const;
      const one = interpretStep({ ...base, plan: UNSHARDED });
      const { name, error } = worstTensor(interpretPipeline({ ...base, plan }, pipe, order), one);
      expect(error, name).toBeLessThan(1e-9);
    }),
    { numRuns: Number(process.env['AGREEMENT_RUNS'] ?? 30), seed: 20261121 },
  );
});
