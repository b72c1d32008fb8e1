import { expect, test } from 'vitest';
import { checkPlan, lowerJob, parsePlan, resolveTask } from '../../src/job/index.js';
import { ROLES, memoryUse } from '../../src/program/index.js';

const task = resolveTask({ model: { preset: 'vit-tiny', depth: 4 }, hardware: 'tpu-v4', chips: 8, batch: 64 });

test.each([
  'data=8 microbatches=1',
  'data=4,model=2 microbatches=4 rematerialize=full shard=parameters',
  'data=4,model=2 microbatches=2 linears=ring shard=optimizer',
])('what one role needs at its most is at most the whole, and at least its part of it: %s', (plan) => {
  const program = lowerJob(checkPlan(task, parsePlan(plan)));
  const whole = memoryUse(program);
  let sum = 0;
  for (const role of ROLES) {
    const { peakBytes } = memoryUse(program, { only: role });
    expect(peakBytes).toBeLessThanOrEqual(whole.peakBytes);
    expect(peakBytes).toBeGreaterThanOrEqual(whole.byRole[role]);
    sum += peakBytes;
  }
  expect(sum).toBeGreaterThanOrEqual(whole.peakBytes);
});
