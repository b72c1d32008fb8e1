import { expect, test } from 'vitest';
import type * as Package from '../../src/index.js';
import { formatPlan, parsePlan, resolveTask } from '../../src/index.js';
import { numbers } from '../../src/job/index.js';

test('the package offers jobs, programs, the simulator and the planner', async () => {
  const built = (await import(new URL('../../dist/src/index.js', import.meta.url).href)) as typeof Package;
  const job = built.resolveJob({ model: 'vit-tiny', hardware: 'local', chips: 2, batch: 32 }, () => true);
  const program = built.lowerJob(job);
  const { stepTimeSeconds, mfu } = built.simulate({
    program,
    machine: built.createMachine({ hardware: job.hardware, mesh: job.plan.mesh }),
    stack: built.loadStack(job.hardware.defaultStack),
    modelFlops: built.modelFlops(job.model, job.batch),
    tokensPerStep: job.batch * 64,
    memory: built.memoryUse(program),
  });
  expect(stepTimeSeconds).toBeGreaterThan(0);
  expect(mfu).toBeLessThan(1);
  const task = resolveTask({ model: 'vit-tiny', hardware: 'local', chips: 2, batch: 4 });
  const { best } = await built.searchPlans(task, { mesh: { pipe: numbers(1) } }, { top: 1, threads: 1 });
  expect(best[0]!.figures.fits).toBe(true);
  expect(formatPlan(job.plan)).toBe('data=2 microbatches=1');
  expect(parsePlan('data=2 microbatches=1')).toEqual(job.plan);
});
