import { describe, expect, test } from 'vitest';
import { ACTIVATION_LAYOUTS } from '../../src/models/index.js';
import { ALL_VARIANTS, DECODER_VARIANTS } from '../helpers/models.js';
import type { PlanCase } from './case.js';
import { interpretStep, OPTIMIZERS, UNSHARDED, worstTensor } from './case.js';
import { AGREEMENT_PLANS, ROUNDED_PLANS, SEQUENCE_PIPELINE_PLANS, SEQUENCE_PLANS } from './plans.js';
import { compare } from './suite.js';

describe('every model in every layout of its activations gives the gradients and parameters of one rank', () => {
  const types = { parameterType: 'f64', computeType: 'f64', optimizer: OPTIMIZERS.sgd, batch: 8 } as const;
  for (const [name, model] of Object.entries(ALL_VARIANTS)) {
    test(name, () => {
      const one = interpretStep({ ...types, model, plan: UNSHARDED });
      for (const activations of ACTIVATION_LAYOUTS) {
        const plans: PlanCase[] = [
          { mesh: { data: 2, model: 2 }, microbatches: 2, activations },
          { mesh: { model: 4 }, microbatches: 1, activations },
        ];
        for (const plan of plans) {
          const { name: tensor, error } = worstTensor(interpretStep({ ...types, model, plan }), one);
          expect(error, `${JSON.stringify(plan)} ${tensor}`).toBeLessThan(1e-9);
        }
      }
    });
  }

  for (const [name, model] of Object.entries(DECODER_VARIANTS)) {
    test(`${name}, its tokens dealt over chips`, () => {
      const one = interpretStep({ ...types, model, plan: UNSHARDED });
      for (const activations of ACTIVATION_LAYOUTS) {
        const plans: PlanCase[] = [
          { mesh: { data: 2, sequence: 2, model: 2 }, microbatches: 2, activations },
          { mesh: { sequence: 4 }, microbatches: 1, activations },
        ];
        for (const plan of plans) {
          const { name: tensor, error } = worstTensor(interpretStep({ ...types, model, plan }), one);
          expect(error, `${JSON.stringify(plan)} ${tensor}`).toBeLessThan(1e-9);
        }
      }
    });
  }

  test('rows that do not divide over `model`: every rank has all logits', () => {
    const model = ALL_VARIANTS['as ViT-22B']!;
    const one = interpretStep({ ...types, model, plan: UNSHARDED });
    const plan = { mesh: { model: 4 }, microbatches: 4 };
    expect(worstTensor(interpretStep({ ...types, model, plan }), one).error).toBeLessThan(1e-9);
  });
});

const SIZE = { batch: 16, steps: 2 };

/** A share of what `npm run agreement` runs; plans that have the most in one. */
const SHARE = [
  'data=2 microbatches=2 bucket=2kB',
  'data=2 microbatches=2 shard=gradients',
  'replica=2,data=2 microbatches=2 shard=parameters rematerialize=full',
  'model=4 microbatches=2 linears=bidirectional activations=sequence',
  'data=2,model=4 microbatches=2 linears=bidirectional shard=parameters rematerialize=full',
  'data=2,model=2 microbatches=1 linears=ring shard=optimizer activations=sequence rematerialize=selective',
];

describe('on devices, a plan gives what one rank gives, and sends what its program says', { timeout: 60_000 }, () => {
  test('the share is of the suite, which has 48 plans and more', () => {
    expect(SHARE.filter((plan) => !AGREEMENT_PLANS.includes(plan))).toEqual([]);
    expect(new Set(AGREEMENT_PLANS).size).toBeGreaterThanOrEqual(48);
  });

  for (const model of ['vit', 'decoder'] as const) {
    for (const plan of SHARE) {
      test(`${model}: ${plan}`, async () => {
        for (const family of ['reference', 'onnx'] as const) {
          for (const { worst, bound, sentBytes, countedBytes } of await compare({ model, plan, family }, SIZE)) {
            expect(worst.error, worst.name).toBeLessThanOrEqual(bound);
            expect(sentBytes).toBeCloseTo(countedBytes, 3);
          }
        }
      });
    }
  }

  const dealt = [
    ['multi-query decoder', SEQUENCE_PLANS.at(-1)!],
    ['tied decoder of 8 layers', SEQUENCE_PIPELINE_PLANS.at(-1)!],
  ] as const;
  for (const [model, plan] of dealt) {
    test(`${model}: ${plan}`, async () => {
      for (const family of ['reference', 'onnx'] as const) {
        for (const { worst, bound, sentBytes, countedBytes } of await compare({ model, plan, family }, SIZE)) {
          expect(worst.error, worst.name).toBeLessThanOrEqual(bound);
          expect(sentBytes).toBeCloseTo(countedBytes, 3);
        }
      }
    });
  }

  for (const plan of ROUNDED_PLANS.slice(-2)) {
    test(`vit, in halves: ${plan}`, async () => {
      for (const { worst, bound } of await compare({ model: 'vit', plan, family: 'reference' }, SIZE))
        expect(worst.error, worst.name).toBeLessThanOrEqual(bound);
    });
  }
});
