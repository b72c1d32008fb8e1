/** Kernels that were met before: whatever program they were of, they cost and keep what they would alone. */
import { describe, expect, test } from 'vitest';
import { stepOptions } from '../../src/cli/assess.js';
import { loadStack } from '../../src/hardware/index.js';
import { checkPlan, lowerJob, parsePlan, resolveTask } from '../../src/job/index.js';
import type { Op, Program } from '../../src/program/index.js';
import { isCompute, regionOps } from '../../src/program/index.js';
import { kernelCost, kernelsOf, unwrittenValues, widenedOf } from '../../sim/index.js';

const kernelsIn = (ops: readonly Op[]): Op[] =>
  ops.flatMap((op) => {
    if (op.name === 'kernel' || isCompute(op.name)) return [op];
    return op.region === undefined ? [] : kernelsIn(regionOps(op.region));
  });

const PLANS = [
  'data=8 microbatches=2',
  'data=8 microbatches=4',
  'data=4,model=2 microbatches=2',
  'data=4,model=2 microbatches=1 rematerialize=full shard=optimizer',
  'data=4,model=2 microbatches=2 activations=sequence rematerialize=selective',
  'data=2,model=4 microbatches=2 linears=ring shard=parameters',
  'data=4,model=2 microbatches=4 activations=sequence linears=ring rematerialize=matmuls shard=gradients',
];

const programs = new Map<string, Program>();
const programOf = (model: string, hardware: string, stackName: string, plan: string): Program => {
  const key = [model, hardware, stackName, plan].join();
  let program = programs.get(key);
  if (program === undefined) {
    const task = resolveTask({ model: { preset: model, depth: 2 }, hardware, chips: 8, batch: 64 });
    program = lowerJob(checkPlan(task, parsePlan(plan)), stepOptions(loadStack(stackName)));
    programs.set(key, program);
  }
  return program;
};

const CASES = [
  ['vit-tiny', 'tpu-v4', 'maxtext-xla'],
  ['vit-tiny', 'a100-80gb-sxm', 'megatron-lm'],
  ['gpt-tiny', 'a100-80gb-sxm', 'nemo-megatron'],
  ['gpt-tiny', 'h100-80gb-sxm', 'pytorch-fsdp'],
  ['gpt-tiny', 'local', 'onnxruntime-cpu'],
] as const;

describe.each(CASES)('%s on %s with %s', (model, hardware, stackName) => {
  const stack = loadStack(stackName);
  const { chip } = resolveTask({ model, hardware, chips: 1, batch: 8 }).hardware;
  const all = PLANS.map((plan) => programOf(model, hardware, stackName, plan));

  test('kernels cost what they cost alone', () => {
    for (const program of all) {
      const widened = widenedOf(program, stack.norms);
      for (const machine of [
        { chip, computeSlowdown: 1 },
        { chip, computeSlowdown: 2, matmulSlowdown: 1.5 },
      ])
        for (const kernel of kernelsIn(program.ops))
          expect(kernelsOf(program, stack).cost(kernel, machine), kernel.id).toEqual(
            kernelCost(kernel, program.values, machine, stack, widened),
          );
    }
  });

  test('and keep the same from memory', () => {
    for (const program of all) {
      const widened = widenedOf(program, stack.norms);
      for (const kernel of kernelsIn(program.ops)) {
        if (kernel.region === undefined) continue;
        const alone = unwrittenValues(kernel.region.ops, program.values, stack, new Set(kernel.results), widened);
        expect(kernelsOf(program, stack).unwritten(kernel), kernel.id).toEqual(alone);
      }
    }
  });
});
