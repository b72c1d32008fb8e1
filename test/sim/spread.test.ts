/** Chips of one kind that are not equally fast. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Hardware } from '../../src/hardware/index.js';
import { loadHardware } from '../../src/hardware/index.js';
import { createMesh } from '../../src/mesh/index.js';
import { createMachine } from '../../sim/index.js';

const h100 = loadHardware('h100-80gb-sxm');
const spreadOver = (chips: number, rateSpread: number): number => {
  const hardware: Hardware = { ...h100, chip: { ...h100.chip, rateSpread } };
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
