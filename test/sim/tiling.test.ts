import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Chip } from '../../src/hardware/index.js';
import { loadHardware } from '../../src/hardware/index.js';
import type { MatmulWork } from '../../src/program/index.js';
import { matmulFlops } from '../../src/program/index.js';
import { achievableRate, fastestRate, tilingOf } from '../../sim/index.js';

const [tpu, a100, h100] = ['tpu-v4', 'a100-80gb-sxm', 'h100-80gb-sxm'].map((name) => loadHardware(name).chip) as [
  Chip,
  Chip,
  Chip,
];
const GPUS = [a100, h100];
const BALANCE = 100;

const paddedOn = (chip: Chip, work: MatmulWork): number => tilingOf(work, chip.matrixUnit, BALANCE).paddedFlops;
const timeOn = (chip: Chip, work: MatmulWork): number => {
  const rate = chip.matmul.bf16!;
  const balance = rate.achievable / chip.memoryBandwidth.achievable;
  return tilingOf(work, chip.matrixUnit, balance).paddedFlops / achievableRate(work, rate, chip.matrixUnit, balance);
};

const side = fc.integer({ min: 1, max: 20_000 });
const works = fc.record({ batch: fc.constantFrom(1, 3, 48), m: side, n: side, k: side });

describe('padding', () => {
  it('a head width of 112 wastes an eighth of a 128-wide unit, inside and outside', () => {
    const scores = { batch: 16, m: 256, n: 256, k: 112 };
    const mix = { batch: 16, m: 256, n: 112, k: 256 };
    for (const work of [scores, mix]) expect(matmulFlops(work) / paddedOn(tpu, work)).toBeCloseTo(112 / 128, 12);
  });

  it('no shape needs fewer FLOPs than it has', () => {
    fc.assert(
      fc.property(works, fc.constantFrom(tpu, a100, h100), (work, chip) => {
        expect(paddedOn(chip, work)).toBeGreaterThanOrEqual(matmulFlops(work));
      }),
    );
  });

  it('more of a dimension never needs fewer FLOPs on a torus chip', () => {
    fc.assert(
      fc.property(works, fc.constantFrom('m', 'n', 'k'), fc.integer({ min: 0, max: 5000 }), (work, dimension, more) => {
        const larger = { ...work, [dimension]: work[dimension as 'm'] + more };
        expect(paddedOn(tpu, larger)).toBeGreaterThanOrEqual(paddedOn(tpu, work));
      }),
    );
  });
});

describe('tiles', () => {
  it('a choice of tiles is never worse than one of them', () => {
    const { tiles, ...unit } = a100.matrixUnit;
    fc.assert(
      fc.property(works, (work) => {
        const best = tilingOf(work, a100.matrixUnit, BALANCE);
        for (const tile of tiles!) {
          const alone = tilingOf(work, { ...unit, tiles: [tile] }, BALANCE);
          expect(best.paddedFlops + best.splitBytes * BALANCE).toBeLessThanOrEqual(
            alone.paddedFlops + alone.splitBytes * BALANCE,
          );
        }
      }),
    );
  });

  it('a small tile is chosen where it fills the units and large ones do not', () => {
    const { tiles, ...unit } = a100.matrixUnit;
    const work = { batch: 1, m: 640, n: 640, k: 64 };
    const large = tilingOf(work, { ...unit, tiles: tiles!.slice(0, 1) }, BALANCE);
    expect(tilingOf(work, a100.matrixUnit, BALANCE).paddedFlops).toBeLessThan(large.paddedFlops / 2);
  });

  it('a long inner dimension is split where there are few tiles, and only there', () => {
    const thin = { batch: 1, m: 256, n: 256, k: 65_536 };
    const { splits, splitBytes } = tilingOf(thin, a100.matrixUnit, BALANCE);
    expect(splits).toBeGreaterThan(4);
    expect(splitBytes).toBe(2 * splits * 256 * 256 * 4);
    expect(tilingOf({ ...thin, m: 8192, n: 8192 }, a100.matrixUnit, BALANCE).splits).toBe(1);
    expect(tilingOf(thin, a100.matrixUnit, 1e9).splits).toBe(1);
  });

  it('a short inner dimension pays for the start of each tile', () => {
    const share = (k: number): number => {
      const work = { batch: 1, m: 27 * 256, n: 16 * 128, k };
      return matmulFlops(work) / paddedOn(a100, work);
    };
    const start = a100.matrixUnit.startDepth!;
    expect(share(start)).toBeCloseTo(0.5, 12);
    expect(share(start * 99)).toBeCloseTo(0.99, 12);
  });
});

describe('rates by shape', () => {
  it('are above nothing and at most the peak', () => {
    fc.assert(
      fc.property(works, fc.constantFrom(tpu, a100, h100), (work, chip) => {
        const time = timeOn(chip, work);
        expect(time).toBeGreaterThan(0);
        expect(matmulFlops(work) / time).toBeLessThanOrEqual(fastestRate(chip.matmul.bf16!) * (1 + 1e-9));
      }),
    );
  });

  it('a matmul four times as large in every dimension is not slower in rate beyond a tenth', () => {
    const small = fc.integer({ min: 1, max: 4096 });
    fc.assert(
      fc.property(
        fc.record({ batch: fc.constantFrom(1, 8), m: small, n: small, k: small }),
        fc.constantFrom(tpu, ...GPUS),
        (work, chip) => {
          const large = { batch: work.batch, m: 4 * work.m, n: 4 * work.n, k: 4 * work.k };
          const rate = (one: MatmulWork): number => matmulFlops(one) / timeOn(chip, one);
          expect(rate(large)).toBeGreaterThanOrEqual(0.9 * rate(work));
        },
      ),
    );
  });

  it('the measured shapes of the A100 come out as measured', () => {
    for (const point of a100.matmul.bf16!.points)
      expect(matmulFlops(point) / timeOn(a100, point)).toBeCloseTo(point.rate, -6);
  });
});
