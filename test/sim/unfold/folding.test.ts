/** One chip that stands for all, and all chips: the same step to the tick where all chips lie alike. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadHardware } from '../../../src/hardware/index.js';
import type { Topology } from '../../../src/hardware/index.js';
import { createMesh } from '../../../src/mesh/index.js';
import { lowerJob, parsePlanInput, resolveJob } from '../../../src/job/index.js';
import type { Execution } from '../../../sim/index.js';
import { createMachine, execute } from '../../../sim/index.js';
import { STACK, layeredProgram, switchOf, torusOf, withTopology } from '../helpers.js';

function expectSame(one: Execution, all: Execution): void {
  expect(all.duration).toBe(one.duration);
  expect(all.exposure).toEqual(one.exposure);
  expect(all.computeTicks).toEqual(one.computeTicks);
  one.linkBytes.forEach((sent, link) => expect(Math.abs(all.linkBytes[link]! - sent)).toBeLessThanOrEqual(1e-9 * sent));
  const { end, busy, exposed, hidden } = all.unfolded!.spreads;
  for (const { least, most } of [end, busy, exposed, hidden]) expect(least).toBe(most);
}

const topologies = fc.constantFrom<Topology>(
  torusOf(1),
  torusOf(2),
  torusOf(3),
  switchOf(4),
  switchOf(8),
  switchOf(64),
);

describe('folded and unfolded are one', () => {
  it('on random meshes and topologies, wherever folding says that it is exact', () => {
    let exact = 0;
    fc.assert(
      fc.property(
        topologies,
        fc.constantFrom(1, 2, 4, 8),
        fc.constantFrom(1, 2, 4, 8),
        fc.integer({ min: 1, max: 4 }),
        fc.constantFrom(128, 256, 1024),
        (topology, data, model, layers, width) => {
          fc.pre(data * model > 1);
          const mesh = createMesh({ data, model });
          const machine = createMachine({ hardware: withTopology(topology), mesh });
          const program = layeredProgram(mesh, layers, width);
          const one = execute(program, machine, STACK);
          if (!one.folded) return;
          exact++;
          expectSame(one, execute(program, machine, STACK, { unfold: {} }));
        },
      ),
      { numRuns: 60 },
    );
    expect(exact).toBeGreaterThan(10);
  });

  const PLANS = [
    'shard=parameters',
    'shard=parameters prefetch=1 overlap-gradients=true',
    'linears=ring',
    'linears=bidirectional shard=parameters',
  ];
  it.each(PLANS)('with collectives beside kernels and each other: %s', (plan) => {
    let exact = 0;
    for (const mesh of ['data=4,model=4', 'data=8,model=4', 'data=16,model=4']) {
      const [data, model] = [...mesh.matchAll(/\d+/g)].map(Number);
      const chips = data! * model!;
      const job = resolveJob(
        {
          model: 'vit-tiny',
          hardware: 'tpu-v4',
          chips,
          batch: 4 * chips,
          plan: parsePlanInput(`${mesh} ${plan} microbatches=1`, 'plan'),
        },
        () => true,
      );
      const machine = createMachine({ hardware: loadHardware('tpu-v4'), mesh: job.plan.mesh });
      const program = lowerJob(job);
      const one = execute(program, machine, STACK);
      if (!one.folded) continue;
      exact++;
      expectSame(one, execute(program, machine, STACK, { unfold: {} }));
    }
    expect(exact).toBeGreaterThan(0);
  });
});
