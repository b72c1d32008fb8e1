/** Gradients that a framework sums whole though each chip updates a part, and what else it does to them. */
import { describe, expect, it } from 'vitest';
import type { Stack } from '../../src/hardware/index.js';
import { checkPlan, lowerJob, parsePlan, resolveTask } from '../../src/job/index.js';
import { planProgram } from '../../sim/plan.js';
import { SMALL_DECODER } from '../helpers/models.js';
import { STACK, machineOf, switchOf, withTopology } from './helpers.js';

const plan = parsePlan('data=2 microbatches=1 shard=optimizer gradients=bf16 gradient-reduction=f32 overlap-gradients=false');

function stepOf(stack: Partial<Stack>) {
  const task = resolveTask({ model: 'gpt2', hardware: 'tpu-v4', chips: 2, batch: 4 });
  const job = checkPlan({ ...task, model: { ...SMALL_DECODER, width: 64 }, hardware: withTopology(switchOf(2)) }, plan);
  const { kernels, collectives } = planProgram(lowerJob(job), machineOf(switchOf(2), job.plan.mesh), {
    ...STACK,
    ...stack,
  });
  const reducing = collectives.filter(({ op }) => op.phase === 'reduce');
  const sum = (list: readonly { times: number; of: number }[]) => list.reduce((t, { times, of }) => t + times * of, 0);
  return {
    sent: sum(reducing.filter(({ name }) => name === 'reduce_scatter').map((one) => ({ ...one, of: one.sentBytes }))),
    moved: sum(
      kernels.filter(({ op }) => op.phase === 'reduce').map(({ times, cost }) => ({ times, of: cost.memoryBytes })),
    ),
  };
}

describe('gradients of parameters that each chip updates a part of', () => {
  it('summed whole are sent twice as far as dealt out: there and back around the ring', () => {
    const [dealt, whole] = [stepOf({}), stepOf({ gradientSums: 'whole' })];
    expect(dealt.sent).toBeGreaterThan(0);
    expect(whole.sent).toBe(2 * dealt.sent);
    expect(whole.moved).toBe(dealt.moved);
  });

  it('move what each pass over them moves, with each pass more', () => {
    const [none, one, two] = [[], [4], [4, 6]].map((passes) =>
      stepOf(passes.length === 0 ? {} : { gradientPasses: passes }),
    );
    expect(two!.moved - one!.moved).toBe((one!.moved - none!.moved) * (6 / 4));
    expect(one!.moved).toBeGreaterThan(none!.moved);
  });
});
