import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  calibrateHardware,
  calibrateStack,
  formatProfile,
  loadHardware,
  loadStack,
  parseHardware,
  parseStack,
} from '../../src/hardware/index.js';
import { bytesPerSecond, flopsPerSecond, seconds } from '../../src/units.js';

const folder = mkdtempSync(join(tmpdir(), 'meshwright-'));
afterAll(() => rmSync(folder, { recursive: true }));

const local = loadHardware('local');
const found = {
  name: 'mine',
  title: 'My machine',
  source: 'meshwright calibrate, 2026-11-20',
  matmul: {
    f32: {
      achievable: flopsPerSecond(250e9),
      points: [{ batch: 1, m: 64, n: 128, k: 256, rate: flopsPerSecond(123.456e9) }],
    },
  },
  memoryBandwidth: bytesPerSecond(30e9),
  vectorRate: flopsPerSecond(15e9),
  transferBandwidthPerChip: bytesPerSecond(6e9),
  messageLatency: seconds(12e-6),
  busyCoreRateFraction: 0.9,
};

describe('calibrated profiles', () => {
  it.each(['local', 'tpu-v4'])('%s is the same after writing and reading', (name) => {
    const hardware = loadHardware(name);
    expect(parseHardware(formatProfile(hardware.document), 'copy.yaml')).toEqual(hardware);
  });

  it('carry the numbers found, marked as calibrated, and keep the peak', () => {
    const document = calibrateHardware(local.document, found);
    const path = join(folder, 'mine.yaml');
    writeFileSync(path, formatProfile(document));
    const { chip, topology, name } = loadHardware(path);
    expect(name).toBe('mine');
    expect(chip.matmul.f32).toEqual({ peak: 220e9, achievable: 250e9, points: found.matmul.f32.points });
    expect(chip.peakVersion).toBe(1);
    expect(chip.memoryBandwidth.achievable).toBe(30e9);
    expect(chip.vectorRate).toBe(15e9);
    expect(topology).toMatchObject({ transferPerChip: { achievable: 6e9 }, busyCoreRateFraction: 0.9 });
    expect(topology).toMatchObject({ messageLatency: expect.closeTo(12e-6, 12) as number });
    expect(document.chip.matmul.f32!.achievable).toMatchObject({ status: 'calibrated', source: found.source });
    expect(document.chip.matmul.f32!.peak).toBe(local.document.chip.matmul.f32!.peak);
  });

  it('leave alone what was not found', () => {
    const { name, title, source } = found;
    const { chip, topology } = calibrateHardware(local.document, { name, title, source });
    expect({ chip, topology }).toEqual({ chip: local.document.chip, topology: local.document.topology });
  });

  it('refuse a rate for a type the chip lacks, and transfers on a torus', () => {
    expect(() => calibrateHardware(local.document, { ...found, matmul: { bf16: found.matmul.f32 } })).toThrow(
      /DTYPE_UNSUPPORTED/,
    );
    const { name, title, source, messageLatency } = found;
    expect(() => calibrateHardware(loadHardware('tpu-v4').document, { name, title, source, messageLatency })).toThrow(
      /shared-memory/,
    );
  });

  it('of stacks, too', () => {
    const { document } = loadStack('onnxruntime-cpu');
    const next = calibrateStack(document, {
      ...found,
      kernelLaunchOverhead: seconds(31e-6),
      opOverhead: seconds(2e-6),
    });
    const stack = parseStack(formatProfile(next), 'mine.yaml');
    expect(stack.kernelLaunchOverhead).toBeCloseTo(31e-6, 12);
    expect(stack.opOverhead).toBeCloseTo(2e-6, 12);
    expect(stack.hostOverheadPerStep).toBe(loadStack('onnxruntime-cpu').hostOverheadPerStep);
    expect(next.opOverhead.status).toBe('calibrated');
  });
});
