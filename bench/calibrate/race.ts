/** The plan that the planner puts first beside the fastest of those that were measured, block by block. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { mean, sampleWithReplacement, quantile } from 'simple-statistics';
import { createRandomSource } from '../../src/calibrate/draws.js';
import { formatJob } from '../../src/job/index.js';
import type { Measured } from './evaluate.js';
import type { BenchJob } from './jobs.js';
import { resolved } from './jobs.js';

const CLI = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));

/** What `meshwright plan` puts first for a job's task on a profile. */
export function plannedFirst(job: BenchJob, hardwarePath: string, folder: string): BenchJob {
  const file = join(folder, 'task.yaml');
  const text = formatJob(resolved(job, hardwarePath), folder);
  // The task alone: the plan is what is asked for.
  writeFileSync(file, text.replace(/^plan:\n(?: .*\n)*/m, ''));
  const out = execFileSync(process.execPath, [CLI, 'plan', file, '--json', '--top', '1'], { encoding: 'utf8' });
  const { plans } = JSON.parse(out) as { plans: { plan: string }[] };
  const { plan } = plans[0]!;
  return { ...job, plan, name: `${job.model} ${job.family} ${plan} (planned)` };
}

const DRAWS = 1000;

/** By how much the first took longer than the second, and between what that lies with a probability of 90 %. */
export function pairedRatio(
  first: Pick<Measured, 'blocks'>,
  second: Pick<Measured, 'blocks'>,
): { readonly ratio: number; readonly p5: number; readonly p95: number } {
  const count = Math.min(first.blocks.length, second.blocks.length);
  const logs = first.blocks.slice(0, count).map((block, index) => Math.log(block / second.blocks[index]!));
  const random = createRandomSource(1);
  const means = Array.from({ length: DRAWS }, () => mean(sampleWithReplacement(logs, count, random)));
  return {
    ratio: Math.exp(mean(logs)),
    p5: Math.exp(quantile(means, 0.05)),
    p95: Math.exp(quantile(means, 0.95)),
  };
}
