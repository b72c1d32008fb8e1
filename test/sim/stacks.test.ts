/** What holds of any step: random models, machines and plans, on every stack. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { boundsOf } from '../../sim/index.js';
import { Assessor } from '../../src/cli/assess.js';
import { listStacks, loadStack } from '../../src/hardware/index.js';
import { flops } from '../../src/units.js';
import { randomJobs } from '../helpers/random-job.js';

it('a step executes no more than its chips can and no less than the model needs, and adds up', () => {
  fc.assert(
    fc.property(randomJobs, fc.constantFrom(...listStacks()), (job, name) => {
      const stack = loadStack(name);
      const { simulation: one, program, machine } = new Assessor().assess(job, stack);
      expect(one.hfu).toBeLessThanOrEqual(1);
      // A fused causal attention leaves out what MFU counts.
      if (stack.attention === 'unfused') expect(one.mfu).toBeLessThanOrEqual(one.hfu * (1 + 1e-9));
      const parts = Object.values(one.timeByCategorySeconds);
      expect(Math.min(...parts)).toBeGreaterThanOrEqual(0);
      expect(parts.reduce((total, part) => total + part, 0)).toBeCloseTo(one.stepTimeSeconds, 9);
      const { seconds } = boundsOf(program, machine, flops(one.modelFlops));
      expect(seconds).toBeLessThanOrEqual(one.stepTimeSeconds * (1 + 1e-6));
    }),
    { numRuns: 40 },
  );
});
