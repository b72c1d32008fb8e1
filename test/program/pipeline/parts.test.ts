/** Pipelines that share what they have in common, against the same ones lowered alone. */
import { describe, expect, test } from 'vitest';
import type { Job } from '../../../src/job/index.js';
import {
  SharedPipeline,
  checkPlan,
  fitPlan,
  lowerJobPipeline,
  parsePlan,
  resolveTask,
  sharedPipelineKey,
} from '../../../src/job/index.js';

/** From one layer a part to many. */
const SCHEDULES = ['interleaved-1f1b virtual-stages=8', '1f1b', 'zb-v', 'interleaved-1f1b virtual-stages=4'];
const OPTIONS = [
  'microbatches=4',
  'microbatches=4 shard=optimizer linears=bidirectional',
  'microbatches=4 shard=gradients rematerialize=full',
  'microbatches=4 shard=parameters rematerialize=selective',
  'microbatches=4 rematerialize=matmuls activations=sequence linears=ring overlap-gradients=false',
  'microbatches=1 rematerialize=full rematerialize-layers=0,1,2',
];

describe.each([
  ['vit-tiny', 'tpu-v4'],
  ['gpt-tiny', 'h100-80gb-sxm'],
] as const)('pipelines of %s on %s', (preset, hardware) => {
  const task = resolveTask({ model: { preset, depth: 26 }, hardware, chips: 16, batch: 64 });
  const jobOf = (options: string, schedule: string): Job => {
    const wish = parsePlan(`pipe=2,data=2,model=4 schedule=${schedule} ${options}`);
    return checkPlan(task, fitPlan(task, wish).plan);
  };

  test.each(OPTIONS)('%s: shared programs are those that each has alone', (options) => {
    const jobs = SCHEDULES.map((schedule) => jobOf(options, schedule));
    expect(new Set(jobs.map(sharedPipelineKey)).size).toBe(1);
    const shared = new SharedPipeline();
    for (const job of jobs) expect(lowerJobPipeline(job, {}, shared)).toEqual(lowerJobPipeline(job));
  });
});
