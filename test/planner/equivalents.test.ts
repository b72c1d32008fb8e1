import { describe, expect, test } from 'vitest';
import type { Job } from '../../src/job/index.js';
import { PLAN_OPTION_NAMES, checkPlan, numbers, parsePlan, resolveTask } from '../../src/job/index.js';
import { FRAMEWORK_NAMES, candidatesOf, settingsFor } from '../../src/planner/index.js';

const task = resolveTask({ model: 'gpt3-175b', hardware: 'h100-80gb-sxm', chips: 512, batch: 1536 });
const job = (plan: string): Job => checkPlan(task, parsePlan(plan));
const lines = (name: (typeof FRAMEWORK_NAMES)[number], plan: string) => settingsFor(name, job(plan)).lines;
const lacks = (name: (typeof FRAMEWORK_NAMES)[number], plan: string) =>
  settingsFor(name, job(plan)).noEquivalent.map(({ option }) => option);

const MEGATRON_PLAN =
  'pipe=8,data=8,model=8 microbatches=96 schedule=interleaved-1f1b virtual-stages=6 rematerialize=full activations=sequence shard=optimizer cast-parameters=once';

describe("Megatron-LM's flags", () => {
  test('of a plan as Megatron-LM trains: all of it', () => {
    const { lines: flags, noEquivalent } = settingsFor('megatron', job(MEGATRON_PLAN));
    expect(noEquivalent).toEqual([]);
    expect(flags).toEqual([
      '--tensor-model-parallel-size 8',
      '--pipeline-model-parallel-size 8',
      '--micro-batch-size 2',
      '--global-batch-size 1536',
      '--num-virtual-stages-per-pipeline-rank 6',
      '--recompute-granularity full',
      '--recompute-method uniform --recompute-num-layers 1',
      '--sequence-parallel',
      '--use-distributed-optimizer',
      '--overlap-param-gather',
      '--overlap-grad-reduce',
      '--bf16',
      '--accumulate-allreduce-grads-in-fp32',
    ]);
  });

  test('say layer by layer where stages have uneven counts', () => {
    const layout = lines('megatron', 'pipe=8,data=8,model=8 microbatches=96 stage-layers=11,12,12,12,12,12,12,13').find(
      (flag) => flag.startsWith('--pipeline-model-parallel-layout'),
    )!;
    const stages = /"(.*)"/.exec(layout)![1]!.split('|');
    expect(stages).toHaveLength(8);
    expect(stages[0]).toBe('Et*11');
    expect(stages.at(-1)).toBe('t*13L');
  });

  test('name what they lack', () => {
    expect(lacks('megatron', 'pipe=8,data=8,model=8 microbatches=96 schedule=zb-v')).toContain('schedule');
    expect(lacks('megatron', 'data=64,model=8 microbatches=4 activations=width')).toContain('activations');
    expect(lacks('megatron', 'data=64,model=8 microbatches=4 rematerialize=matmuls')).toContain('rematerialize');
  });
});

test("torchtitan's degrees multiply to the chips, whatever is sharded", () => {
  for (const shard of ['none', 'gradients', 'parameters'])
    for (const mesh of ['data=512', 'replica=4,data=16,model=8', 'pipe=4,data=16,model=8']) {
      const text = lines('torchtitan', `${mesh} microbatches=${mesh === 'data=512' ? 3 : 12} shard=${shard}`).join(
        '\n',
      );
      const degree = (name: string) => Number(new RegExp(`${name} = (\\d+)`).exec(text)![1]);
      const names = ['data_parallel_replicate', 'data_parallel_shard', 'tensor_parallel', 'pipeline_parallel'];
      expect(names.reduce((product, name) => product * degree(`${name}_degree`), 1)).toBe(512);
    }
});

test("MaxText's axes multiply to the chips, and its batch to the job's", () => {
  for (const plan of ['data=512 microbatches=3 shard=parameters', 'data=64,model=8 microbatches=12 shard=optimizer']) {
    const text = lines('maxtext', plan);
    const axes = text.flatMap((line) => (/^(?:ici|dcn)_\w+: (\d+)$/.exec(line) ?? []).slice(1).map(Number));
    expect(axes.reduce((product, size) => product * size, 1)).toBe(512);
    const of = (name: string) => Number(text.find((line) => line.startsWith(`${name}: `))!.split(': ')[1]);
    expect(of('per_device_batch_size') * 512 * of('gradient_accumulation_steps')).toBe(1536);
  }
});

test("DeepSpeed's configuration is JSON whose batch adds up over data-parallel ranks", () => {
  const text = lines('deepspeed', 'data=64,model=8 microbatches=4 shard=gradients activations=replicated').join('\n');
  const config = JSON.parse(text) as Record<string, number> & { zero_optimization: { stage: number } };
  expect(config['train_batch_size']).toBe(
    64 * config['train_micro_batch_size_per_gpu']! * config['gradient_accumulation_steps']!,
  );
  expect(config.zero_optimization.stage).toBe(2);
});

test('FSDP shards parameters again after the forward pass in stage 3 alone', () => {
  const reshard = (shard: string) => lines('fsdp', `data=512 microbatches=1 shard=${shard}`).join('\n');
  expect(reshard('parameters')).toMatch(/reshard_after_forward=True/);
  expect(reshard('gradients')).not.toMatch(/reshard_after_forward=True/);
  expect(reshard('none')).toMatch(/DistributedDataParallel/);
});

test('every candidate of a space has settings in every framework, and what they lack is an option of a plan', () => {
  const tiny = resolveTask({ model: 'gpt-tiny', hardware: 'local', chips: 4, batch: 8 });
  for (const { task: of, plan, precision } of candidatesOf(tiny, { microbatches: numbers(2) }))
    for (const name of FRAMEWORK_NAMES) {
      const { lines: settings, noEquivalent } = settingsFor(name, { ...of, plan, precision });
      expect(settings.length).toBeGreaterThan(0);
      for (const { option, instead } of noEquivalent) {
        expect(PLAN_OPTION_NAMES).toContain(option);
        expect(instead).not.toBe('');
      }
    }
});
