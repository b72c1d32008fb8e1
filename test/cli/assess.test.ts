import { expect, it } from 'vitest';
import { Assessor } from '../../src/cli/assess.js';
import { extendStack, loadStack } from '../../src/hardware/index.js';

/** A stack that reads and writes each op's values apart runs the same program, and keeps more of it. */
it('counts the memory of a job on each stack, whatever it was asked for before', () => {
  const job = new Assessor().resolve({
    model: { preset: 'gpt2' },
    hardware: 'tpu-v4',
    chips: 2,
    batch: 16,
    plan: { mesh: { data: 2 }, microbatches: 2 },
  });
  const joined = loadStack('maxtext-xla');
  const apart = extendStack(
    joined,
    { operands: { value: 'separate', source: 'a test', status: 'assumed' } },
    'separate operands',
  );
  const memoryOn = (stack: typeof joined, assessor = new Assessor()): number =>
    assessor.simulate(job, stack).peakMemoryBytesPerChip;
  const one = new Assessor();
  const inTurn = [joined, apart, joined].map((stack) => memoryOn(stack, one));
  expect(inTurn).toEqual([joined, apart, joined].map((stack) => memoryOn(stack)));
  expect(new Set(inTurn).size).toBe(2);
});
