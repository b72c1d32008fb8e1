/** Which collectives run beside kernels: those that the program lets and the stack can. */
import { describe, expect, it } from 'vitest';
import { COLLECTIVES, loadHardware, loadStack } from '../../src/hardware/index.js';
import type { CollectiveKind } from '../../src/hardware/index.js';
import { lowerJob, parsePlanInput, resolveJob } from '../../src/job/index.js';
import { createMachine, execute } from '../../sim/index.js';
import { planProgram } from '../../sim/plan.js';

const hardware = loadHardware('tpu-v4');
const job = resolveJob(
  {
    model: 'vit-tiny',
    hardware: 'tpu-v4',
    chips: 8,
    batch: 256,
    plan: parsePlanInput('data=4,model=2 microbatches=2 shard=parameters linears=ring prefetch=1', 'plan'),
  },
  () => true,
);
const program = lowerJob(job);
const machine = createMachine({ hardware, mesh: job.plan.mesh });

const run = (asynchronous: readonly CollectiveKind[]) =>
  execute(program, machine, { ...loadStack('maxtext-xla'), asynchronous });
const besideKernels = (asynchronous: readonly CollectiveKind[]): Set<string> => {
  const { collectives } = planProgram(program, machine, { ...loadStack('maxtext-xla'), asynchronous });
  return new Set(collectives.filter((step) => step.asynchronous).map(({ name }) => name));
};

describe('collectives beside kernels', () => {
  it('are those of the kinds that the stack names, where the program lets them', () => {
    const all = besideKernels(COLLECTIVES);
    expect([...all].sort()).toEqual(['all_gather', 'permute', 'reduce_scatter']);
    for (const kind of all) expect(besideKernels([kind as CollectiveKind])).toEqual(new Set([kind]));
    expect(besideKernels([])).toEqual(new Set());
  });

  it('hide nothing where there are none, and a step with more of them is no longer', () => {
    const [none, some, all] = [run([]), run(['all_gather', 'permute']), run(COLLECTIVES)];
    expect(none.exposure.hidden).toBe(0);
    expect(some.exposure.hidden).toBeGreaterThan(0);
    expect(all.exposure.hidden).toBeGreaterThan(some.exposure.hidden);
    expect(some.duration).toBeLessThan(none.duration);
    expect(all.duration).toBeLessThanOrEqual(some.duration);
  });

  it('on TPU v4 are gathers and permutes', () => {
    expect(loadStack(hardware.defaultStack).asynchronous).toEqual(['all_gather', 'permute']);
  });
});
