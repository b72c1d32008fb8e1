import { describe, expect, it } from 'vitest';
import { listHardware, loadHardware, rateStatuses, scaleHardware } from '../../src/hardware/index.js';

describe('a machine with other rates', () => {
  it.each(listHardware())('%s by 1 is the same', (name) => {
    const hardware = loadHardware(name);
    expect(scaleHardware(hardware, {})).toEqual(hardware);
    expect(scaleHardware(hardware, { links: 1, compute: 1 }, 'achievable')).toEqual(hardware);
  });

  it('has what was asked for, and all else as before', () => {
    const tpu = loadHardware('tpu-v4');
    const faster = scaleHardware(tpu, { links: 2 });
    expect(faster.topology).toEqual({
      ...tpu.topology,
      linkPerDirection: { peak: 100e9, achievable: 90e9 },
    });
    expect(faster.chip).toEqual(tpu.chip);
    expect(scaleHardware(tpu, { memoryCapacity: 2 }).chip.memoryCapacity).toBe(2 * tpu.chip.memoryCapacity);
  });

  it('has peaks that stay where only what is achievable is in doubt, and never reaches more than them', () => {
    const tpu = loadHardware('tpu-v4');
    const slower = scaleHardware(tpu, { compute: 0.5, memoryBandwidth: 10 }, 'achievable');
    expect(slower.chip.matmul.bf16).toMatchObject({ peak: 275e12, achievable: 0.8 * 275e12 * 0.5 });
    expect(slower.chip.memoryBandwidth).toEqual({ peak: 1.2e12, achievable: 1.2e12 });
  });
});

describe('where rates come from', () => {
  it.each(listHardware())('%s says of compute, memory and links', (name) => {
    const statuses = rateStatuses(loadHardware(name).document);
    expect(Object.keys(statuses)).toEqual(expect.arrayContaining(['compute', 'memoryBandwidth', 'links', 'latency']));
  });

  it('is the least certain of the numbers behind a rate', () => {
    const { compute, links, network, latency } = rateStatuses(loadHardware('h100-80gb-sxm').document);
    expect({ compute, links, network, latency }).toEqual({
      compute: 'fitted',
      links: 'published',
      network: 'assumed',
      latency: 'assumed',
    });
  });
});
