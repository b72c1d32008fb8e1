import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AttentionKernel, Chip } from '../../src/hardware/index.js';
import { loadHardware, loadStack } from '../../src/hardware/index.js';
import type { AttentionGroup } from '../../sim/index.js';
import { attentionKernelOf, attentionMatmulTime, attentionTime, kernelCost } from '../../sim/index.js';
import { createMesh } from '../../src/mesh/index.js';
import { Builder } from '../../src/program/index.js';
import { seconds } from '../../src/units.js';

const a100 = loadHardware('a100-80gb-sxm').chip;
const h100 = loadHardware('h100-80gb-sxm').chip;
const stack = loadStack('megatron-lm');

interface Shape {
  readonly batch: number;
  readonly heads: number;
  readonly length: number;
  readonly width: number;
  readonly causal: boolean;
}

const groupOf = ({ batch, heads, length, causal }: Shape, backward: boolean): AttentionGroup => ({
  ops: [],
  share: causal ? (1 + 128 / length) / 2 : 1,
  backward,
  scores: batch * heads * length ** 2,
  columns: length,
});

/** TFLOP/s as papers count them: two matmuls forward and five backward, half of each under a causal mask. */
function rateOf(shape: Shape, backward: boolean, chip: Chip, name: AttentionKernel): number {
  const kernel = chip.fusedAttention![name]!;
  const group = groupOf(shape, backward);
  const flops = (backward ? 5 : 2) * 2 * group.scores * shape.width;
  const matmuls = attentionMatmulTime(group.share * flops, shape.width, backward, kernel, chip.matmul.bf16!.peak);
  return (flops * (shape.causal ? 0.5 : 1)) / attentionTime(matmuls, group, kernel, chip.matrixUnit.units) / 1e12;
}

/** 16384 tokens of 2048 features, as the FlashAttention papers have them. */
const paper = (length: number, width: number, causal = false): Shape => ({
  batch: 16_384 / length,
  heads: 2048 / width,
  length,
  width,
  causal,
});

const meanError = (pairs: readonly (readonly [number, number])[]): number =>
  pairs.reduce((sum, [predicted, measured]) => sum + Math.abs(predicted / measured - 1), 0) / pairs.length;

describe('attention as one kernel', () => {
  it('is within a tenth of FlashAttention-3, figures 5 and 6, on H100', () => {
    const forward = { 'flash-2': [324, 370, 299, 335], cudnn: [413, 595, 388, 539], 'flash-3': [497, 648, 473, 616] };
    const backward = { 'flash-2': [291, 322], cudnn: [433, 516], 'flash-3': [474, 561] };
    for (const name of ['flash-2', 'cudnn', 'flash-3'] as const) {
      const shapes = [paper(16_384, 64), paper(16_384, 128), paper(16_384, 64, true), paper(16_384, 128, true)];
      const pairs = [
        ...forward[name].map((measured, index) => [rateOf(shapes[index]!, false, h100, name), measured] as const),
        ...backward[name].map((measured, index) => [rateOf(shapes[index]!, true, h100, name), measured] as const),
      ];
      expect(meanError(pairs), name).toBeLessThan(0.1);
    }
  });

  it('loses on short sequences what was measured', () => {
    const pairs = [
      [rateOf(paper(512, 128), false, h100, 'flash-3'), 467],
      [rateOf(paper(1024, 128), false, h100, 'flash-3'), 565],
      [rateOf(paper(512, 128), true, h100, 'flash-3'), 316],
      [rateOf(paper(1024, 128), true, h100, 'flash-3'), 424],
      [rateOf(paper(512, 128), false, h100, 'flash-2'), 309],
      [rateOf(paper(512, 128), true, h100, 'flash-2'), 214],
    ] as const;
    expect(meanError(pairs)).toBeLessThan(0.12);
  });

  it('reaches 73 % of the peak forward and 63 % backward on A100 (FlashAttention-2, §4.1)', () => {
    expect(Math.abs(rateOf(paper(16_384, 128), false, a100, 'flash-2') / 312 - 0.73)).toBeLessThan(0.015);
    expect(Math.abs(rateOf(paper(16_384, 128), true, a100, 'flash-2') / 312 - 0.63)).toBeLessThan(0.015);
  });

  it('of few heads leaves units idle, as on an A100 (SimuMax, a100_pcie.json, 4096 tokens of width 128)', () => {
    const measured = { 64: 185.2, 32: 176.6, 16: 154.6, 8: 121.2, 4: 80.2 };
    const at = (heads: number): number =>
      rateOf({ batch: 1, heads, length: 4096, width: 128, causal: true }, false, a100, 'flash-2');
    // Its clocks are lower than those of the version with 400 W: only the course is compared.
    for (const [heads, rate] of Object.entries(measured))
      expect(at(Number(heads)) / at(64) / (rate / measured[64])).toBeGreaterThan(0.85);
    expect(at(4) / at(64)).toBeLessThan(0.65);
  });

  it('never takes less than its work shared evenly, nor than a longest block', () => {
    const kernel = h100.fusedAttention!['flash-3']!;
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 64 }),
        fc.integer({ min: 1, max: 64 }),
        fc.boolean(),
        (heads, blocks, causal) => {
          const group = groupOf({ batch: 1, heads, length: 128 * blocks, width: 128, causal }, false);
          const time = attentionTime(seconds(1), group, kernel, 132);
          expect(time).toBeGreaterThan(1);
          expect(time).toBeGreaterThanOrEqual(132 / (heads * blocks));
        },
      ),
    );
  });

  it('is computed by the first kernel of the stack that the chip has rates of, or by its own first', () => {
    expect(attentionKernelOf(a100, { attentionKernels: ['flash-3', 'flash-triton'] })).toBe(
      a100.fusedAttention!['flash-triton'],
    );
    expect(attentionKernelOf(a100, {})).toBe(a100.fusedAttention!['flash-2']);
    expect(attentionKernelOf(loadHardware('tpu-v4').chip, {})).toBeUndefined();
  });
});

/** TFLOP/s of one matmul whose operands and product are in bf16. */
function matmulRate(batch: number, m: number, n: number, k: number, chip: Chip): number {
  const builder = new Builder(createMesh({}));
  const input = (...shape: number[]): number => builder.value({ shape, dtype: 'bf16', states: {} }, 'input');
  const attributes = { transposeA: false, transposeB: false, scale: 1 };
  const product = builder.emit('matmul', [input(batch, m, k), input(batch, k, n)], attributes, {
    id: 'product',
    phase: 'forward',
  });
  const { ops, values } = builder.finish([], [{ name: 'product', value: product }]);
  return (2 * batch * m * n * k) / kernelCost(ops[0]!, values, { chip, computeSlowdown: 1 }, stack).seconds / 1e12;
}

describe('matmuls', () => {
  it('are within a twentieth of what was measured on A100, on the average', () => {
    const measured = [
      [1, 1024, 10_240, 5120, 271.2],
      [1, 8192, 8192, 8192, 258],
      [1, 8192, 12_288, 4096, 241.6],
      [1, 8192, 4096, 4096, 234.9],
      [1, 8192, 16_384, 4096, 241.1],
      [1, 8192, 4096, 16_384, 252.8],
      [1, 8192, 51_200, 4096, 255.4],
      [128, 1024, 1024, 1024, 227.3],
      [128, 1024, 1024, 2048, 243.3],
      [64, 2048, 2048, 256, 130.2],
      [64, 2048, 256, 2048, 219],
    ] as const;
    const pairs = measured.map(([b, m, n, k, rate]) => [matmulRate(b, m, n, k, a100), rate] as const);
    expect(meanError(pairs)).toBeLessThan(0.05);
  });

  it('are within a tenth of what was measured on H100, on the average', () => {
    const measured = [
      [1, 4096, 4096, 4096, 716],
      [1, 8192, 8192, 8192, 795],
      [1, 2048, 2048, 13_312, 794.5],
      [1, 2048, 2048, 2048, 676.6],
      [1, 10_240, 10_240, 10_240, 719.7],
    ] as const;
    const pairs = measured.map(([b, m, n, k, rate]) => [matmulRate(b, m, n, k, h100), rate] as const);
    expect(meanError(pairs)).toBeLessThan(0.1);
  });
});
