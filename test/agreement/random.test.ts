import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LINEAR_MODES, REMATERIALIZATIONS, SHARD_STAGES } from '../../src/program/index.js';
import { AXIS_NAMES } from '../../src/mesh/index.js';
import type { ModelConfig } from '../../src/models/index.js';
import { SMALL_DECODER, SMALL_VIT } from '../helpers/models.js';
import type { PlanCase } from './case.js';
import { interpretStep, OPTIMIZERS, UNSHARDED, worstTensor } from './case.js';

const MESHES = [
  { data: 2 },
  { data: 4 },
  { model: 2 },
  { model: 4 },
  { data: 2, model: 2 },
  { data: 4, model: 2 },
  { data: 2, model: 4 },
  { replica: 2 },
  { replica: 2, data: 2 },
  { replica: 2, model: 2 },
  { replica: 2, data: 2, model: 2 },
] as const;

const shard = fc.record({
  stage: fc.constantFrom(...SHARD_STAGES),
  axes: fc.subarray([...AXIS_NAMES], { minLength: 1 }),
  minimumElements: fc.constantFrom(0, 50, 200),
  prefetch: fc.constantFrom(0, 1, 2),
});

const plans: fc.Arbitrary<PlanCase> = fc
  .record(
    {
      mesh: fc.constantFrom(...MESHES),
      microbatches: fc.constantFrom(1, 2, 4),
      activations: fc.constantFrom('width', 'sequence', 'replicated'),
      rematerialize: fc.constantFrom(...REMATERIALIZATIONS),
      rematerializeLayers: fc.constantFrom([0], [1], [0, 1]),
      linears: fc.constantFrom(...LINEAR_MODES),
      shard,
      bucketBytes: fc.constantFrom(100, 1000, 5000),
      overlapGradients: fc.boolean(),
    },
    { requiredKeys: ['mesh', 'microbatches', 'activations', 'linears'] },
  )
  .map((plan) => plan as PlanCase);

// Heads are at least 4 wide: a centered norm of two elements has no variance but the sign of their difference.
const vits: fc.Arbitrary<ModelConfig> = fc
  .record({
    width: fc.constantFrom(16, 24),
    depth: fc.integer({ min: 2, max: 4 }),
    mlpWidth: fc.constantFrom(8, 24, 32),
    pooling: fc.constantFrom('attention', 'mean'),
    parallelLayers: fc.boolean(),
    queryKeyNorm: fc.boolean(),
    omitBiases: fc.boolean(),
    loss: fc.constantFrom('sigmoid', 'softmax'),
  })
  .map((config) => ({ ...SMALL_VIT, ...config, name: 'random-vit' }));

const decoders: fc.Arbitrary<ModelConfig> = fc
  .record({
    width: fc.constantFrom(8, 16),
    depth: fc.integer({ min: 2, max: 4 }),
    heads: fc.constantFrom(4, 8),
    headWidth: fc.constantFrom(2, 4, 6),
    keyValueHeads: fc.constantFrom(1, 4),
    mlpWidth: fc.constantFrom(8, 24),
    gatedMlp: fc.boolean(),
    activation: fc.constantFrom('gelu', 'silu'),
    positions: fc.constantFrom('rotary', 'learned'),
    norm: fc.constantFrom('rms', 'layer'),
    biases: fc.boolean(),
    parallelLayers: fc.boolean(),
    tiedHead: fc.boolean(),
    vocabulary: fc.constantFrom(16, 36),
    sequence: fc.constantFrom(4, 8),
  })
  .map((config) => ({ ...SMALL_DECODER, ...config, name: 'random-decoder' }));

test('random plans of random small models agree with one unsharded rank in float64', { timeout: 240_000 }, () => {
  const models = fc.oneof(vits, decoders);
  const optimizers = fc.constantFrom(...(Object.keys(OPTIMIZERS) as (keyof typeof OPTIMIZERS)[]));
  fc.assert(
    fc.property(models, optimizers, plans, (model, optimizer, plan) => {
      const types = { parameterType: 'f64', computeType: 'f64' } as const;
      const base = { model, optimizer: OPTIMIZERS[optimizer], batch: 16, ...types };
      const one = interpretStep({ ...base, plan: UNSHARDED });
      const { name: tensor, error } = worstTensor(interpretStep({ ...base, plan }), one);
      expect(error, tensor).toBeLessThan(1e-9);
    }),
    { numRuns: Number(process.env['AGREEMENT_RUNS'] ?? 150), seed: 20261121 },
  );
});
