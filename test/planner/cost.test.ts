import { describe, expect, test } from 'vitest';
import { loadHardware } from '../../src/hardware/index.js';
import { costOf } from '../../src/planner/index.js';
import { seconds } from '../../src/units.js';

describe('what a time costs', () => {
  test('is chip-hours at the price, and joules at what a chip draws in training', () => {
    const tpu = loadHardware('tpu-v4');
    expect(costOf(tpu, 1024, seconds(7200))).toEqual({
      chipHours: 2048,
      dollars: 2048 * tpu.price!.perChipHour,
      energy: 1024 * 7200 * 170,
    });
  });

  test('is at the power limit where nobody measured a training', () => {
    expect(costOf(loadHardware('h100-80gb-sxm'), 8, seconds(1)).energy).toBe(8 * 700);
  });

  test('is not known of a machine without a price', () => {
    expect(costOf(loadHardware('local'), 2, seconds(3600))).toEqual({ chipHours: 2, dollars: null, energy: null });
    expect(costOf(loadHardware('tpu-v5p'), 2, seconds(3600)).energy).toBeNull();
  });
});
