/** A training step on a stack whose attention is one kernel: scores are never kept, whatever the plan says. */
import { expect, it } from 'vitest';
import { Assessor, lowerFor } from '../../src/cli/assess.js';
import { loadStack } from '../../src/hardware/index.js';
import { parsePlanInput } from '../../src/job/index.js';
import type { Job } from '../../src/job/index.js';
import { forEachOp } from '../../src/program/index.js';

const SEQUENCE = 2048;
const assessor = new Assessor();
const jobOf = (rematerialize: string, depth = 4): Job =>
  assessor.resolve({
    model: { preset: 'gpt-tiny', sequence: SEQUENCE, depth },
    hardware: 'h100-80gb-sxm',
    batch: 8,
    plan: parsePlanInput(`data=2 microbatches=1 rematerialize=${rematerialize}`, 'plan'),
  });
const stacks = { plain: loadStack('megatron-lm'), flash: loadStack('megatron-lm-flash') };
const stepOf = (rematerialize: string, stack: keyof typeof stacks, depth?: number) =>
  assessor.assess(jobOf(rematerialize, depth), stacks[stack]).simulation;

it('without rematerialization it keeps no softmax of any layer, and takes less time', () => {
  const perLayer = (stack: keyof typeof stacks): number =>
    (stepOf('none', stack, 12).peakMemoryBytesPerChip - stepOf('none', stack, 8).peakMemoryBytesPerChip) / 4;
  const scores = (8 / 2) * jobOf('none').model.heads * SEQUENCE ** 2;
  // Of a score its softmax and what dropout left of it, in two bytes each, and a byte of the mask.
  expect(perLayer('plain') - perLayer('flash')).toBe((2 + 2 + 1) * scores);
  expect(stepOf('none', 'flash').stepTimeSeconds).toBeLessThan(0.9 * stepOf('none', 'plain').stepTimeSeconds);
});

it('is the same step whether the plan keeps scores or makes them again', () => {
  const [none, selective] = [stepOf('none', 'flash'), stepOf('selective', 'flash')];
  expect(none).toEqual({ ...selective, plan: none.plan });
});

// Where parameters are gathered in between, what runs attention's forward kernel again and its backward one lie apart.
it.each([
  'none',
  'selective',
  'matmuls',
  'full',
  'full shard=parameters prefetch=0',
  'full shard=parameters prefetch=layer',
])('leaves no scores for other kernels, rematerialize=%s', (how) => {
  const { ops, values } = lowerFor(jobOf(how), stacks.flash);
  forEachOp(ops, ({ name, id, results }) => {
    if (name !== 'kernel' && name !== 'repeat') return;
    for (const value of results)
      expect(values[value]!.type.shape.filter((length) => length === SEQUENCE).length, id).toBeLessThan(2);
  });
});

it('a plan that makes more again keeps less: its memory falls as without such a kernel', () => {
  const peaks = (stack: keyof typeof stacks) =>
    ['none', 'matmuls', 'full'].map((how) => stepOf(how, stack).peakMemoryBytesPerChip);
  for (const stack of ['plain', 'flash'] as const) {
    const [none, matmuls, full] = peaks(stack) as [number, number, number];
    expect(matmuls).toBeLessThan(none);
    expect(full).toBeLessThan(matmuls);
  }
});
