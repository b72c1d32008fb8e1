/** Chips of one kind that are not equally fast. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Hardware } from '../../src/hardware/index.js';
import { loadHardware } from '../../src/hardware/index.js';
import { createMesh } from '../../src/mesh/index.js';
import { createMachine } from '../../sim/index.js';
import { Assessor } from '../../src/cli/assess.js';
import type { Job } from '../../src/job/index.js';
import { parsePlanInput } from '../../src/job/index.js';

const h100 = loadHardware('h100-80gb-sxm');
const spreadOver = (chips: number, rateSpread: number, sustainedRate = 1): number => {
  const hardware: Hardware = { ...h100, chip: { ...h100.chip, rateSpread, sustainedRate } };
  return createMachine({ hardware, mesh: createMesh({ data: chips }) }).matmulSlowdown;
};

describe('the slowest of some chips', () => {
  it('is the mean one where there is one chip, or all are alike', () => {
    expect(spreadOver(1, 0.02)).toBe(1);
    expect(spreadOver(512, 0)).toBe(1);
    const { chip } = loadHardware('tpu-v4');
    expect(chip.rateSpread).toBe(0);
  });

  // The expected largest of n standard normal numbers (Harter 1961).
  it.each([
    [2, 0.56419],
    [8, 1.4236],
    [16, 1.76599],
    [64, 2.34373],
    [128, 2.59431],
  ])('of %i is %f standard deviations slower', (chips, deviations) => {
    expect((spreadOver(chips, 0.01) - 1) / 0.01).toBeCloseTo(deviations, 1);
  });

  it('is slow in a long run besides', () => {
    expect(spreadOver(1, 0.02, 0.8)).toBe(1.25);
    expect(spreadOver(64, 0.02, 0.8)).toBeCloseTo(1.25 * spreadOver(64, 0.02), 12);
  });

  it('lengthens matmuls and nothing else of a step', () => {
    const assessor = new Assessor();
    const categories = (sustainedRate: number) => {
      const plan = parsePlanInput('data=8 microbatches=1', 'plan');
      const job = assessor.resolve({ model: 'gpt-tiny', hardware: 'h100-80gb-sxm', batch: 64, plan });
      const hardware: Hardware = { ...h100, chip: { ...h100.chip, rateSpread: 0, sustainedRate } };
      const slow: Job = { ...job, hardware, hardwareName: `h100 ${sustainedRate}` };
      return assessor.assess(slow).simulation.timeByCategorySeconds;
    };
    const [whole, half] = [categories(1), categories(0.5)];
    expect(half.matmul + half.memory).toBeGreaterThan(whole.matmul + whole.memory);
    expect(half.matmul / whole.matmul).toBeGreaterThan(1.9);
    expect(half.optimizer).toBe(whole.optimizer);
    expect(half.overhead).toBe(whole.overhead);
  });

  it('is slower the more there are, and the more they differ', () => {
    const powers = fc.integer({ min: 1, max: 10 });
    fc.assert(
      fc.property(powers, powers, fc.integer({ min: 1, max: 50 }), (a, b, thousandths) => {
        fc.pre(a < b);
        const spread = thousandths / 1000;
        expect(spreadOver(2 ** a, spread)).toBeLessThan(spreadOver(2 ** b, spread));
        expect(spreadOver(2 ** a, spread)).toBeLessThan(spreadOver(2 ** a, spread + 0.001));
      }),
      { numRuns: 20 },
    );
  });
});
