import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Assessor } from '../../src/cli/assess.js';
import { remediesFor } from '../../src/cli/remedies.js';
import { checkPlan, parsePlan, readJob, resolveTask } from '../../src/job/index.js';
import { cli, json } from './in-process.js';

const folder = mkdtempSync(join(tmpdir(), 'meshwright-plan-'));
const TASK = [
  'plan --model vit-tiny --hardware local --chips 2 --batch 16 --mesh pipe=1 --microbatches 1,2',
  '--shard none,optimizer --rematerialize none --activations width --linears synchronous',
].join(' ');

interface Plans {
  readonly candidates: number;
  readonly simulated: number;
  readonly doNotFit: number;
  readonly boundedOut: number;
  readonly isComplete: boolean;
  readonly plans: readonly {
    readonly plan: string;
    readonly why: string;
    readonly bottleneck: string;
    readonly boundShare: number;
    readonly simulation: { readonly stepTimeSeconds: number; readonly peakMemoryBytesPerChip: number };
  }[];
  readonly front: readonly { readonly stepTimeSeconds: number; readonly peakMemoryBytesPerChip: number }[];
  readonly settings: Readonly<Record<string, { readonly lines: readonly string[] }>>;
}

describe('plan', () => {
  test('predicts of the job that it writes what simulate does', async () => {
    const found = await json<Plans>(`${TASK} --output best.yaml --top 2`, folder);
    const again = await json<{ stepTimeSeconds: number; peakMemoryBytesPerChip: number }>('simulate best.yaml', folder);
    const [best] = found.plans;
    expect(again.stepTimeSeconds).toBe(best!.simulation.stepTimeSeconds);
    expect(again.peakMemoryBytesPerChip).toBe(best!.simulation.peakMemoryBytesPerChip);
  });

  test('ranks by step time, accounts for every candidate, and gives each a reason', async () => {
    const found = await json<Plans>(`${TASK} --top 3`, folder);
    const times = found.plans.map(({ simulation }) => simulation.stepTimeSeconds);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(found.candidates).toBe(found.simulated + found.doNotFit + found.boundedOut);
    expect(found.isComplete).toBe(true);
    for (const { why, bottleneck, boundShare } of found.plans) {
      expect(why).toMatch(/compute/);
      expect(bottleneck).toMatch(/of the step/);
      expect(boundShare).toBeGreaterThan(0);
      expect(boundShare).toBeLessThanOrEqual(1);
    }
    for (const one of found.front)
      for (const other of found.front)
        expect(
          one.stepTimeSeconds < other.stepTimeSeconds && one.peakMemoryBytesPerChip < other.peakMemoryBytesPerChip,
        ).toBe(false);
  });

  test('takes the block search: of a job file, which flags override', async () => {
    const job = [
      'model: vit-tiny',
      'hardware: local',
      'chips: 2',
      'batch: 16',
      'search:',
      '  mesh: { pipe: 1, model: [1, 2] }',
      '  microbatches: 1..2',
      '  activations: width',
      '  linears: synchronous',
      '  shard: none',
      '  rematerialize: none,full',
    ];
    writeFileSync(join(folder, 'search.yaml'), job.join('\n'));
    const all = await json<Plans>('plan search.yaml', folder);
    const one = await json<Plans>('plan search.yaml --mesh model=1 --recompute full', folder);
    expect(all.candidates).toBeGreaterThan(one.candidates);
    expect(one.plans.map(({ plan }) => plan).toSorted()).toEqual([
      'data=2 microbatches=1 rematerialize=full',
      'data=2 microbatches=2 rematerialize=full',
    ]);
  });

  test('says where a block search: is wrong', async () => {
    writeFileSync(join(folder, 'wrong.yaml'), 'model: vit-tiny\nhardware: local\nsearch:\n  microbatches: 8..4\n');
    expect((await cli('plan wrong.yaml', folder)).stderr).toMatch(/^meshwright: JOB_INVALID at wrong\.yaml:4 \(search/);
    writeFileSync(join(folder, 'unknown.yaml'), 'model: vit-tiny\nhardware: local\nsearch:\n  recompute: none\n');
    expect((await cli('plan unknown.yaml', folder)).stderr).toMatch(/FIELD_UNKNOWN at unknown\.yaml:4/);
  });

  test('explains the winner in words, and in those of other frameworks', async () => {
    const { stdout } = await cli(`${TASK} --top 1 --settings megatron torchtitan`, folder);
    for (const words of ['What it does', 'What limits it', 'Why it is first', '--micro-batch-size', '[parallelism]'])
      expect(stdout).toContain(words);
  });
});

describe('what would make a plan fit', () => {
  test('fits, by the memory that a step of it has', () => {
    const task = resolveTask({ model: 'vit-22b', hardware: 'tpu-v4', chips: 256, batch: 4096 });
    const assessor = new Assessor();
    const closest = checkPlan(task, parsePlan('data=16,model=16 microbatches=1'));
    const remedies = remediesFor(assessor, closest, {});
    expect(remedies.length).toBeGreaterThan(0);
    for (const { job, bytes, capacity } of remedies) {
      const memory = assessor.memory(job);
      expect(memory).toEqual({ bytes, capacity });
      expect(bytes).toBeLessThanOrEqual(capacity);
    }
  });
});

test('a job file with a block search: is still a job', () => {
  expect(readJob(join(folder, 'search.yaml')).search).toBeDefined();
});
