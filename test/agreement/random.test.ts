import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LINEAR_MODES, REMATERIALIZATIONS, SHARD_STAGES } from '../../src/program/index.js';
import type { HostTensor } from '../../src/runtime/index.js';
import { ALL_VARIANTS } from '../helpers/models.js';
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
] as const;

const shard = fc.record({
  stage: fc.constantFrom(...SHARD_STAGES),
  axes: fc.constantFrom<readonly ('data' | 'model')[]>(['data'], ['model'], ['data', 'model']),
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

/** Unsharded runs by what they depend on. */
const expected = new Map<string, ReadonlyMap<string, HostTensor>>();

test('random plans of random small models agree with one unsharded rank in float64', { timeout: 240_000 }, () => {
  const models = fc.constantFrom(...Object.keys(ALL_VARIANTS));
  const optimizers = fc.constantFrom(...(Object.keys(OPTIMIZERS) as (keyof typeof OPTIMIZERS)[]));
  fc.assert(
    fc.property(models, optimizers, plans, (name, optimizer, plan) => {
      const types = { parameterType: 'f64', computeType: 'f64' } as const;
      const base = { model: ALL_VARIANTS[name]!, optimizer: OPTIMIZERS[optimizer], batch: 16, ...types };
      const key = `${name} ${optimizer}`;
      const one = expected.get(key) ?? interpretStep({ ...base, plan: UNSHARDED });
      expected.set(key, one);
      const { name: tensor, error } = worstTensor(interpretStep({ ...base, plan }), one);
      expect(error, tensor).toBeLessThan(1e-9);
    }),
    { numRuns: Number(process.env['AGREEMENT_RUNS'] ?? 150), seed: 20261121 },
  );
});
