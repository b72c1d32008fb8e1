/** Parameters that are cast once a step, into copies that all microbatches work on. */
import { expect, test } from 'vitest';
import type { Program } from '../../src/program/index.js';
import { forEachOp } from '../../src/program/index.js';
import { numbersOf } from '../../src/runtime/kernels/tensors.js';
import type { PlanCase, StepCase } from '../agreement/case.js';
import { interpretStep, lowerStep, OPTIMIZERS } from '../agreement/case.js';
import { SMALL_DECODER } from '../helpers/models.js';

const stepOf = (plan: Omit<PlanCase, 'microbatches'>): StepCase => ({
  model: { ...SMALL_DECODER, vocabulary: 16 },
  plan: { ...plan, microbatches: 2 },
  batch: 8,
  optimizer: OPTIMIZERS.sgd,
  parameterType: 'f32',
  computeType: 'bf16',
});

/** How often a step casts parameters of layers: a cast in a repeat counts once an iteration. */
function castsOf({ ops, values }: Program): number {
  let casts = 0;
  forEachOp(ops, ({ name, operands }, times) => {
    if (name === 'cast' && values[operands[0]!]!.role === 'parameter') casts += times;
  });
  return casts;
}

test.each(['none', 'optimizer', 'gradients'] as const)(
  'with shard=%s a step casts each parameter once, and its numbers are the same, bit for bit',
  (stage) => {
    const shard = {
      stage: stage as 'optimizer' | 'gradients',
      axes: ['data'],
      minimumElements: 300,
      prefetch: 1,
    } as const;
    const plan = { mesh: { data: 2 }, ...(stage === 'none' ? {} : { shard }) };
    const [once, whereUsed] = [stepOf({ ...plan, castOnce: true }), stepOf(plan)];
    const used = castsOf(lowerStep({ ...once, plan: { ...once.plan, microbatches: 1, castOnce: true } }));
    expect(castsOf(lowerStep(once))).toBe(used);
    expect(castsOf(lowerStep(whereUsed))).toBeGreaterThan(used);
    const expected = interpretStep(whereUsed);
    for (const [name, tensor] of interpretStep(once))
      expect([...numbersOf(tensor)], name).toEqual([...numbersOf(expected.get(name)!)]);
  },
);
