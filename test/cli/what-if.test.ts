import { describe, expect, test } from 'vitest';
import { Assessor, stackOf } from '../../src/cli/assess.js';
import type { JobSimulation } from '../../src/cli/assess.js';
import { createAssess } from '../../src/cli/what-if.js';
import { formatPlan, parsePlanInput } from '../../src/job/index.js';
import type { Job } from '../../src/job/index.js';
import { omit } from '../../src/omit.js';
import type { Assess } from '../../src/planner/index.js';
import {
  diagnose,
  flippedPlans,
  onScaledHardware,
  robustness,
  sensitivities,
  withOptions,
} from '../../src/planner/index.js';
import { seconds } from '../../src/units.js';

const jobOf = (hardware: string, plan: string): Job =>
  new Assessor().resolve({
    model: { preset: 'gpt2', depth: 4, vocabulary: 512 },
    hardware,
    chips: 8,
    batch: 64,
    plan: parsePlanInput(plan, 'plan'),
  });
const gpu = jobOf('a100-80gb-sxm', 'data=8 microbatches=2');
const tpu = jobOf('tpu-v4', 'data=2,model=4 microbatches=1 linears=ring');

/** Tests ask for the same steps again and again. */
function remembered(simulate: Assess<JobSimulation>): Assess<JobSimulation> {
  const known = new Map<string, JobSimulation>();
  return (job, options = {}) => {
    const { stack, slowChip } = options;
    const software = stack === undefined ? '' : JSON.stringify(omit(stack, 'document'));
    const key = [job.hardwareName, job.batch, formatPlan(job.plan), software, slowChip].join(' ');
    let found = known.get(key);
    if (found === undefined) known.set(key, (found = simulate(job, options)));
    return found;
  };
}
const assess = remembered(createAssess());

describe('sensitivities', () => {
  test.each([gpu, tpu])('no faster machine makes a step slower', (job) => {
    const base = assess(job);
    const { machine } = sensitivities(job, base, assess);
    expect(machine.map(({ change }) => change)).toContain('2 × link bandwidth');
    for (const { faster } of machine) expect(faster).toBeGreaterThanOrEqual(-1e-9);
    // Nothing is made faster by more than what is twice as fast.
    for (const { faster } of machine) expect(faster).toBeLessThanOrEqual(1 + 1e-9);
  });

  test('are of plans that differ in what they say, each simulated anew', () => {
    const base = assess(gpu);
    const { options } = sensitivities(gpu, base, assess);
    expect(options.length).toBeGreaterThan(5);
    const jobs = new Map(flippedPlans(gpu).map((one) => [formatPlan(one.plan), one]));
    for (const { plan, change, stepTimeSeconds, faster } of options) {
      expect(stepTimeSeconds).toBe(assess(jobs.get(plan!)!).stepTimeSeconds);
      expect(faster).toBeCloseTo(base.stepTimeSeconds / stepTimeSeconds - 1, 12);
      expect(change).not.toBe('');
    }
    const fitting = options.filter(({ fits }) => fits).map(({ faster }) => faster);
    expect(fitting).toEqual(fitting.toSorted((a, b) => b - a));
  });

  test('more memory is of use where a faster plan fits in it alone', () => {
    const base = assess(tpu);
    const [none] = sensitivities(tpu, base, assess).machine.slice(-1);
    expect(none).toMatchObject({ change: '2 × memory', faster: 0 });
    // As much memory as the step takes: plans that keep more don't fit.
    const { peakMemoryBytesPerChip, memoryCapacityBytesPerChip, reservedMemoryBytesPerChip } = base;
    const full = withOptions(tpu, { rematerialize: 'full' })!;
    const used = assess(full).peakMemoryBytesPerChip + reservedMemoryBytesPerChip;
    expect(used).toBeLessThan(peakMemoryBytesPerChip + reservedMemoryBytesPerChip);
    const tight = onScaledHardware(full, { memoryCapacity: (used * 1.001) / memoryCapacityBytesPerChip });
    const [more] = sensitivities(tight, assess(tight), assess).machine.slice(-1);
    expect(more!.faster).toBeGreaterThan(0);
    expect(more!.plan).not.toContain('rematerialize=full');
  });
});

describe('robustness', () => {
  const slower = withOptions(gpu, { rematerialize: 'full' })!;

  test('a plan that does the same and more is never first', () => {
    const { plans, intervals } = robustness([gpu, slower], assess, { draws: 12, seed: 1 });
    expect(plans.map(({ firstShare, meanRank }) => [firstShare, meanRank])).toEqual([
      [1, 1],
      [0, 2],
    ]);
    expect(intervals).toMatchObject({ compute: 0.1, memoryBandwidth: 0.05 });
    for (const { fastStepTimeSeconds: fast, medianStepTimeSeconds: median, slowStepTimeSeconds: slow } of plans) {
      expect(fast).toBeLessThanOrEqual(median);
      expect(median).toBeLessThanOrEqual(slow);
    }
  });

  test('is the same for the same seed', () => {
    const of = (seed: number) => robustness([gpu], assess, { draws: 5, seed });
    expect(of(2)).toEqual(of(2));
    expect(of(2).plans).not.toEqual(of(3).plans);
  });
});

describe('a diagnosis finds what was planted', () => {
  const stack = stackOf(gpu);
  const causes = (measured: number, job = gpu) => diagnose(job, stackOf(job), seconds(measured), assess).explanations;

  test('recompute', () => {
    const measured = assess(withOptions(gpu, { rematerialize: 'full' })!).stepTimeSeconds;
    const [first] = causes(measured);
    expect(first).toMatchObject({ cause: 'recomputes more: rematerialize=full', likelihood: 1, explains: 1 });
  });

  test('collectives that wait', () => {
    const measured = assess(gpu, { stack: { ...stack, asynchronous: [] } }).stepTimeSeconds;
    const found = causes(measured).find(({ cause }) => cause === 'nothing is exchanged beside kernels');
    expect(found).toMatchObject({ likelihood: 1, explains: 1 });
  });

  test.each([1.5, 3])('links that are %d times as slow, by how much', (slower) => {
    const measured = assess(onScaledHardware(tpu, { links: 1 / slower }, 'achievable')).stepTimeSeconds;
    const found = causes(measured, tpu).find(({ cause }) => cause === 'links slower')!;
    expect(found.slower! / slower).toBeCloseTo(1, 1);
    expect(found.explains).toBeCloseTo(1, 1);
  });

  test('a chip that is slow', () => {
    const measured = assess(gpu, { slowChip: 1.4 }).stepTimeSeconds;
    const found = causes(measured).find(({ cause }) => cause === 'one chip computes slower')!;
    expect(found.slower! / 1.4).toBeCloseTo(1, 1);
  });

  test('and ranks by likelihood, with the input in any case', () => {
    const found = causes(assess(gpu).stepTimeSeconds * 1.5);
    const likelihoods = found.map(({ likelihood }) => likelihood);
    expect(likelihoods).toEqual(likelihoods.toSorted((a, b) => b - a));
    expect(found.find(({ cause }) => cause === 'steps wait for their input')).toMatchObject({
      explains: 1,
      slower: 1.5,
    });
    for (const { likelihood } of found) expect(likelihood).toBeLessThanOrEqual(1);
  });

  test('and nothing where a step is no slower than predicted', () => {
    expect(causes(assess(gpu).stepTimeSeconds * 0.9)).toEqual([]);
  });
});
