/** What collectives take from kernels beside them, and from each other where they share links. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { KernelCost, Load } from '../../sim/index.js';
import { NO_LOAD, collectiveLoad, joinLoads, slowdown } from '../../sim/index.js';
import { loadHardware } from '../../src/hardware/index.js';
import { bytes, bytesPerSecond, flops, seconds } from '../../src/units.js';

const { chip } = loadHardware('h100-80gb-sxm');
const bandwidth = chip.memoryBandwidth.achievable;
const part = fc.integer({ min: 0, max: 1e6 }).map((nanoseconds) => nanoseconds * 1e-9);
/** A kernel takes no less than its bytes take. */
const costs = fc
  .record({
    matmul: part,
    memory: part,
    vector: part,
    overhead: part,
    beside: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  .map(({ matmul, memory, vector, overhead, beside }): KernelCost => ({
    matmulSeconds: seconds(matmul),
    memorySeconds: seconds(memory),
    vectorSeconds: seconds(vector),
    overheadSeconds: seconds(overhead),
    seconds: seconds(matmul + memory + vector + overhead),
    byWork: {},
    matmulFlops: flops(1),
    paddedMatmulFlops: flops(1),
    vectorFlops: flops(1),
    memoryBytes: bytes((memory + beside * (matmul + vector)) * bandwidth),
    pieces: 1,
    hostSeconds: seconds(0),
    hostPathSeconds: seconds(0),
  }));
const share = fc.double({ min: 0, max: 0.9, noNaN: true });
const load = (computeShare: number, memoryShare: number): Load => ({
  computeShare,
  memoryBytesPerSecond: bytesPerSecond(memoryShare * bandwidth),
});
const at = { chip, computeSlowdown: 1 };

describe('a kernel beside collectives', () => {
  it('takes as long as alone without a load', () => {
    fc.assert(
      fc.property(costs, (cost) => {
        expect(slowdown(cost, at, NO_LOAD)).toBe(1);
      }),
    );
  });

  it('never gets faster by a larger load', () => {
    fc.assert(
      fc.property(costs, share, share, share, share, (cost, u, moreU, c, moreC) => {
        const less = slowdown(cost, at, load(Math.min(u, moreU), Math.min(c, moreC)));
        expect(less).toBeGreaterThanOrEqual(1);
        expect(slowdown(cost, at, load(Math.max(u, moreU), Math.max(c, moreC)))).toBeGreaterThanOrEqual(less);
      }),
    );
  });

  it('that computes all the time is slowed down by units alone, up to where its bytes decide', () => {
    const cost = (memoryShare: number): KernelCost => ({
      matmulSeconds: seconds(1e-3),
      memorySeconds: seconds(0),
      vectorSeconds: seconds(0),
      overheadSeconds: seconds(0),
      seconds: seconds(1e-3),
      byWork: {},
      matmulFlops: flops(1),
      paddedMatmulFlops: flops(1),
      vectorFlops: flops(0),
      memoryBytes: bytes(1e-3 * memoryShare * bandwidth),
      pieces: 1,
      hostSeconds: seconds(0),
      hostPathSeconds: seconds(0),
    });
    expect(slowdown(cost(0.5), at, load(0.2, 0.1))).toBeCloseTo(1 / 0.8, 12);
    expect(slowdown(cost(0.5), at, load(0, 0.1))).toBe(1);
    expect(slowdown(cost(0.8), at, load(0, 0.5))).toBeCloseTo(0.8 / 0.5, 12);
  });

  it('is slowed down alike on a chip whose cores are shared', () => {
    fc.assert(
      fc.property(costs, share, share, fc.double({ min: 1, max: 8, noNaN: true }), (cost, u, c, computeSlowdown) => {
        const slow: KernelCost = {
          ...cost,
          matmulSeconds: seconds(cost.matmulSeconds * computeSlowdown),
          memorySeconds: seconds(cost.memorySeconds * computeSlowdown),
          vectorSeconds: seconds(cost.vectorSeconds * computeSlowdown),
          overheadSeconds: seconds(cost.overheadSeconds * computeSlowdown),
          seconds: seconds(cost.seconds * computeSlowdown),
        };
        expect(slowdown(slow, { chip, computeSlowdown }, load(u, c))).toBeCloseTo(slowdown(cost, at, load(u, c)), 9);
      }),
    );
  });
});

describe('what a collective takes', () => {
  it('of memory is what goes there and comes from there, over its time', () => {
    expect(collectiveLoad(bytes(1e9), seconds(0.1), chip).memoryBytesPerSecond).toBe(1e10);
    expect(collectiveLoad(bytes(1e9), seconds(0), chip).memoryBytesPerSecond).toBe(0);
  });

  it('are units that the profile names, of which one is left to the kernel', () => {
    const one = collectiveLoad(bytes(1), seconds(1), chip);
    expect(one.computeShare).toBe(20 / 132);
    expect(joinLoads([one, one], chip).computeShare).toBeCloseTo(40 / 132, 12);
    expect(
      joinLoads(
        Array.from({ length: 9 }, () => one),
        chip,
      ).computeShare,
    ).toBe(131 / 132);
    expect(loadHardware('tpu-v4').chip.collectiveUnits).toBe(0);
  });

  it('of memory is never so much that a kernel has less than an equal share', () => {
    const greedy = load(0, 10);
    expect(joinLoads([greedy], chip).memoryBytesPerSecond).toBe(bandwidth / 2);
    expect(joinLoads([greedy, greedy, greedy], chip).memoryBytesPerSecond).toBe(bandwidth * 0.75);
    expect(joinLoads([load(0, 0.1), load(0, 0.2)], chip).memoryBytesPerSecond).toBeCloseTo(0.3 * bandwidth, 3);
  });
});
