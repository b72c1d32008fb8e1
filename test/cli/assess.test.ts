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

it('says of each job between what it lies by what the job hangs on, whoever asks', () => {
  const spread = { own: 0.05, directions: [{ 'hardware topology.messageLatency': 0.5 }] };
  const uncertainty = {
    value: { p10: 0.5, p50: 1, p90: 2, runs: 8, spread },
    source: 'eight runs',
    status: 'calibrated' as const,
  };
  const stack = extendStack(loadStack('onnxruntime-cpu'), { uncertainty }, 'a calibrated stack');
  const assessor = new Assessor();
  const [alone, together] = [1, 2].map((model) => {
    const job = assessor.resolve({
      model: { preset: 'vit-tiny' },
      hardware: 'local',
      chips: model,
      batch: 8,
      plan: { mesh: { model }, microbatches: 1 },
    });
    const assessment = assessor.assessAny(job, stack);
    const { stepTimeInterval: interval } = assessment.intervals();
    expect(interval.source).toBe('eight runs');
    return { step: assessment.simulation.stepTimeSeconds, ...interval };
  });
  // A rank alone sends nothing, so that it is as sure as anything is.
  expect(Math.log(alone!.p90 / alone!.step)).toBeCloseTo(0.05, 9);
  const width = Math.log(together!.p90 / together!.step);
  expect(width).toBeGreaterThan(0.055);
  expect(width).toBeLessThan(0.05 + 0.5);
  expect(Math.log(together!.step / together!.p10)).toBeCloseTo(width, 9);
});
