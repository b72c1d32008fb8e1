import { describe, expect, test } from 'vitest';
import { SHARD_STAGES } from '../../src/program/index.js';
import { SMALL_DECODER, SMALL_VIT } from '../helpers/models.js';
import type { PlanCase } from './case.js';
import { interpretStep, OPTIMIZERS, UNSHARDED, worstTensor } from './case.js';

const MESHES = [
  { replica: 2, data: 2 },
  { replica: 2, model: 2 },
  { replica: 2, data: 2, model: 2 },
] as const;

describe('copies of what is sharded give what one rank gives, in float64', () => {
  const step = { parameterType: 'f64', computeType: 'f64', optimizer: OPTIMIZERS.adamw, batch: 16 } as const;
  for (const model of [SMALL_VIT, SMALL_DECODER]) {
    const one = interpretStep({ ...step, model, plan: UNSHARDED });
    for (const stage of [undefined, ...SHARD_STAGES]) {
      test(`${model.name}, shard=${stage ?? 'none'}`, () => {
        for (const mesh of MESHES) {
          for (const microbatches of [1, 2]) {
            for (const overlapGradients of [true, false]) {
              const axes = 'data' in mesh ? (['data'] as const) : (['replica'] as const);
              const plan: PlanCase = {
                mesh,
                microbatches,
                overlapGradients,
                ...(stage === undefined ? {} : { shard: { stage, axes, minimumElements: 0, prefetch: 1 } }),
              };
              const { name, error } = worstTensor(interpretStep({ ...step, model, plan }), one);
              expect(error, `${JSON.stringify(plan)} ${name}`).toBeLessThan(1e-9);
            }
          }
        }
      });
    }
  }
});
