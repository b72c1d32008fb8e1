/** The time to move little is no less than a share of the peak allows, and never falls as more is moved. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadHardware } from '../../src/hardware/index.js';
import { omit } from '../../src/omit.js';
import { bytes } from '../../src/units.js';
import { memoryTime } from '../../sim/cost/memory-time.js';

const { chip } = loadHardware('a100-80gb-sxm');
const { peak, achievable } = chip.memoryBandwidth;
const even = omit(chip, 'smallTransfers');
const size = fc.integer({ min: 0, max: 400_000_000 }).map((value) => bytes(value));

describe('the time a kernel takes to move its bytes', () => {
  it.each([
    [5e5, 0.3],
    [5e6, 0.6],
    [5e7, 0.75],
    [5e8, achievable / peak],
  ])('%d bytes at %d of the peak', (moved, share) => {
    expect(memoryTime(bytes(moved), chip)).toBeCloseTo(moved / (share * peak), 12);
  });

  it('never falls with more bytes, and is never less than at what is achievable', () => {
    fc.assert(
      fc.property(size, size, (a, b) => {
        const [less, more] = a < b ? [a, b] : [b, a];
        expect(memoryTime(less, chip)).toBeLessThanOrEqual(memoryTime(more, chip));
        expect(memoryTime(more, chip)).toBeGreaterThanOrEqual(memoryTime(more, even));
      }),
    );
  });

  it('is bytes over bandwidth of a chip without shares', () => {
    expect(memoryTime(bytes(1e6), even)).toBeCloseTo(1e6 / achievable, 15);
  });
});
