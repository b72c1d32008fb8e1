import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { achievableRate, kernelCost, tilingOf } from '../../sim/index.js';
import type { KernelCost } from '../../sim/index.js';
import type { Chip, MatmulRate, MatrixUnit } from '../../src/hardware/index.js';
import { loadHardware, loadStack } from '../../src/hardware/index.js';
import { createMesh } from '../../src/mesh/index.js';
import type { DType, MatmulWork, Op, Program } from '../../src/program/index.js';
import { Builder, fuse } from '../../src/program/index.js';
import { bytesPerSecond, flopsPerSecond } from '../../src/units.js';

const tpu = loadHardware('tpu-v4').chip;
const [xla, megatron, pytorch] = [loadStack('maxtext-xla'), loadStack('megatron-lm'), loadStack('pytorch-fsdp')];
const unit = { rows: 8, columns: 128, depth: 128, units: 8 };
/** FLOPs a byte: the matrix units are never so fast that traffic hides. */
const BALANCE = 100;
const paddedMatmulFlops = (work: MatmulWork, on: MatrixUnit): number => tilingOf(work, on, BALANCE).paddedFlops;
const rate = (points: MatmulRate['points'] = []): MatmulRate => ({
  peak: flopsPerSecond(1e12),
  achievable: flopsPerSecond(5e11),
  points,
});

describe('matmuls', () => {
  it('a shape of whole tiles is not padded', () => {
    expect(paddedMatmulFlops({ batch: 1, m: 256, n: 512, k: 384 }, unit)).toBe(2 * 256 * 512 * 384);
  });

  it('heads half as wide as the matrix unit waste half of it', () => {
    const wide = { batch: 64, m: 256, n: 256, k: 128 };
    expect(paddedMatmulFlops({ ...wide, k: 64 }, unit)).toBe(paddedMatmulFlops(wide, unit));
  });

  it('a last wave that is not full takes as long as a full one', () => {
    const gpu = { rows: 128, columns: 128, depth: 8, units: 108 };
    const square = (tiles: number) => paddedMatmulFlops({ batch: tiles, m: 128, n: 128, k: 64 }, gpu);
    expect(square(109)).toBe(2 * square(108));
    expect(square(216)).toBe(square(109));
  });

  it('a product is as fast as its transpose', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 3, maxLength: 3 }), ([m, n, k]) => {
        const one = paddedMatmulFlops({ batch: 1, m: m!, n: n!, k: k! }, unit);
        expect(paddedMatmulFlops({ batch: 1, m: n!, n: m!, k: k! }, unit)).toBe(one);
        expect(one).toBeGreaterThanOrEqual(2 * m! * n! * k!);
      }),
    );
  });

  const points = [
    { batch: 1, m: 100, n: 100, k: 100, rate: flopsPerSecond(1e11) },
    { batch: 1, m: 4000, n: 4000, k: 4000, rate: flopsPerSecond(4e11) },
  ];

  it('a measured shape takes exactly what was measured, padding and all', () => {
    const [point] = points;
    const seconds = paddedMatmulFlops(point!, unit) / achievableRate(point!, rate(points), unit, BALANCE);
    expect(seconds).toBeCloseTo(2e6 / 1e11, 15);
  });

  it('other shapes lie between the measured ones, nearer to the nearer', () => {
    const whole = { rows: 1, columns: 1, depth: 1, units: 1 };
    const at = (side: number): number =>
      achievableRate({ batch: 1, m: side, n: side, k: side }, rate(points), whole, BALANCE);
    expect(at(101)).toBeCloseTo(1e11, -9);
    expect(at(632)).toBeGreaterThan(1.5e11);
    expect(at(632)).toBeLessThan(3.5e11);
    expect(at(3900)).toBeCloseTo(4e11, -9);
  });

  it('without measured shapes the achievable rate counts', () => {
    expect(achievableRate({ batch: 1, m: 1, n: 1, k: 1 }, rate(), unit, BALANCE)).toBe(5e11);
  });
});

/** x W → gelu → + x, as one kernel. */
function program(dtype: DType = 'bf16', tokens = 4096, width = 1024): Program {
  const builder = new Builder(createMesh({}));
  const x = builder.value({ shape: [tokens, width], dtype, states: {} }, 'input');
  const w = builder.value({ shape: [width, width], dtype, states: {} }, 'parameter');
  const at = (id: string) => ({ id, phase: 'forward' as const });
  const h = builder.emit('matmul', [x, w], { transposeA: false, transposeB: false, scale: 1 }, at('matmul'));
  const g = builder.emit('gelu', [h], {}, at('gelu'));
  const s = builder.emit('scale', [g], { factor: 2 }, at('scale'));
  const y = builder.emit('add', [s, x], {}, at('add'));
  return fuse(builder.finish([], [{ name: 'logits', value: y }]));
}

const costOf = ({ ops, values }: Program, chip: Chip = tpu, stack = xla, op: Op = ops[0]!): KernelCost =>
  kernelCost(op, values, { chip, computeSlowdown: 1 }, stack);

describe('kernels', () => {
  const size = 4096 * 1024 * 2;
  const weight = 1024 * 1024 * 2;

  it('a stack that fuses moves no bytes between neighbouring elementwise ops', () => {
    const matmul = size + weight + size;
    expect(costOf(program(), tpu, megatron).memoryBytes).toBe(matmul + 3 * size);
    expect(costOf(program(), tpu, pytorch).memoryBytes).toBe(matmul + (2 + 2 + 3) * size);
    expect(costOf(program(), tpu, megatron).pieces).toBe(2);
    expect(costOf(program(), tpu, pytorch).pieces).toBe(4);
  });

  it('a stack that fuses epilogues writes a product after what follows it', () => {
    expect(costOf(program()).memoryBytes).toBe(size + weight + size);
    expect(costOf(program()).pieces).toBe(1);
  });

  it('the parts add up to the whole', () => {
    const { matmulSeconds, memorySeconds, vectorSeconds, overheadSeconds, seconds } = costOf(program(), tpu, megatron);
    expect(matmulSeconds + memorySeconds + vectorSeconds + overheadSeconds).toBeCloseTo(seconds, 15);
    expect(matmulSeconds).toBeGreaterThan(0);
    expect(memorySeconds).toBeGreaterThan(0);
  });

  it('a bare op is a kernel of one', () => {
    const { ops, values } = program();
    const bare = ops[0]!.region!.ops[1]!;
    expect(kernelCost(bare, values, { chip: tpu, computeSlowdown: 1 }, xla).memoryBytes).toBe(2 * size);
  });

  it('a thin matmul is limited by memory', () => {
    const { matmulSeconds, memorySeconds } = costOf(program('bf16', 8, 4096));
    expect(matmulSeconds).toBe(0);
    expect(memorySeconds).toBeGreaterThan((4096 * 4096 * 2) / tpu.memoryBandwidth.peak);
  });

  it('sharing cores slows all of it', () => {
    const { ops, values } = program();
    const slow = kernelCost(ops[0]!, values, { chip: tpu, computeSlowdown: 2 }, xla);
    expect(slow.seconds).toBeCloseTo(2 * costOf(program()).seconds, 15);
  });

  it('names the op when the chip cannot compute in its type', () => {
    expect(() => costOf(program('f16'))).toThrow(
      /DTYPE_UNSUPPORTED at matmul: expected a matmul in f32 or bf16.*, got f16/,
    );
  });

  it('is never slower on a chip with more memory bandwidth, matmul rate or vector rate', () => {
    const factor = fc.double({ min: 1, max: 100, noNaN: true });
    const shape = fc.record({ tokens: fc.integer({ min: 1, max: 5000 }), width: fc.integer({ min: 1, max: 1500 }) });
    fc.assert(
      fc.property(shape, factor, factor, factor, ({ tokens, width }, memory, matmul, vector) => {
        const bf16 = tpu.matmul.bf16!;
        const better: Chip = {
          ...tpu,
          memoryBandwidth: {
            ...tpu.memoryBandwidth,
            achievable: bytesPerSecond(tpu.memoryBandwidth.achievable * memory),
          },
          matmul: { bf16: { ...bf16, achievable: flopsPerSecond(bf16.achievable * matmul) } },
          vectorRate: flopsPerSecond(tpu.vectorRate * vector),
        };
        const built = program('bf16', tokens, width);
        for (const stack of [xla, pytorch])
          expect(costOf(built, better, stack).seconds).toBeLessThanOrEqual(costOf(built, tpu, stack).seconds);
      }),
      { numRuns: 50 },
    );
  });

  describe('bytes', () => {
    const at = (id: string) => ({ id, phase: 'forward' as const });
    const bytesOf = (build: (builder: Builder) => unknown): number => {
      const builder = new Builder(createMesh({}));
      const { ops } = builder.block(() => build(builder));
      builder.append(ops);
      return costOf(builder.finish([], [])).memoryBytes;
    };
    const value = (builder: Builder, shape: readonly number[], dtype: 'bf16' | 'i32' = 'bf16') =>
      builder.value({ shape, dtype, states: {} }, 'input');

    it('an embedding reads the rows it looks up, its gradient is written whole', () => {
      const [rows, width, tokens] = [50_000, 64, 8 * 16];
      const table = (builder: Builder) => value(builder, [rows, width]);
      const ids = (builder: Builder) => value(builder, [8, 16], 'i32');
      const looked = bytesOf((builder) => builder.emit('embedding', [table(builder), ids(builder)], {}, at('embed')));
      expect(looked).toBe(4 * tokens + 2 * (2 * tokens * width));
      const dy = (builder: Builder) => value(builder, [8, 16, width]);
      const written = bytesOf((builder) =>
        builder.emit('embedding_backward', [ids(builder), dy(builder)], { rows }, at('gradient')),
      );
      expect(written).toBe(4 * tokens + 2 * tokens * width + 2 * rows * width);
    });

    it('a matmul with an addend reads it too', () => {
      const [m, n, k] = [256, 512, 128];
      const product = (builder: Builder, addend: boolean) => {
        const operands = [value(builder, [m, k]), value(builder, [k, n]), ...(addend ? [value(builder, [m, n])] : [])];
        return builder.emit('matmul', operands, { transposeA: false, transposeB: false, scale: 1 }, at('product'));
      };
      expect(bytesOf((builder) => product(builder, true)) - bytesOf((builder) => product(builder, false))).toBe(
        2 * m * n,
      );
    });
  });
});
