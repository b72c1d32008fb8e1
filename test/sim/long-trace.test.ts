import { expect, it } from 'vitest';
import { Assessor } from '../../src/cli/assess.js';
import { parsePlanInput } from '../../src/job/index.js';

it('the trace of a step has every run of it, be they hundreds of thousands', () => {
  const assessor = new Assessor();
  const plan = parsePlanInput('data=64,model=16 microbatches=32 linears=bidirectional', 'plan');
  const job = assessor.resolve({ model: 'vit-22b', hardware: 'tpu-v4', chips: 1024, batch: 65536, plan });
  const { execution } = assessor.assess(job);
  const { kernels, collectives } = execution.plan;
  const runs = [...kernels, ...collectives].reduce((total, { times }) => total + times, 0);
  expect(runs).toBeGreaterThan(150_000);
  expect(execution.trace.spans.length).toBe(runs);
});
