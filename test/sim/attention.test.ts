import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Chip, Stack } from '../../src/hardware/index.js';
import { loadHardware, loadStack } from '../../src/hardware/index.js';
import { createMesh } from '../../src/mesh/index.js';
import type { Op, Program } from '../../src/program/index.js';
import { Builder, fuse } from '../../src/program/index.js';
import type { KernelCost } from '../../sim/index.js';
import { attentionGroups, kernelCost } from '../../sim/index.js';

const [tpu, a100] = [loadHardware('tpu-v4').chip, loadHardware('a100-80gb-sxm').chip];
const [plain, flash] = [loadStack('maxtext-xla'), loadStack('maxtext-xla-flash')];
const at = (id: string) => ({ id, phase: 'forward' as const });

interface Shape {
  readonly batch: number;
  readonly heads: number;
  readonly tokens: number;
  readonly width: number;
  readonly causal: boolean;
  /** Whether the weights are kept for others. */
  readonly kept?: boolean;
  readonly backward?: boolean;
}

/** softmax(q kᵀ) v, or, backward, the gradients of q, k and v from that of the result, the weights made again. */
function attention({ batch, heads, tokens, width, causal, kept = false, backward = false }: Shape): Program {
  const builder = new Builder(createMesh({}));
  const input = () => builder.value({ shape: [batch, heads, tokens, width], dtype: 'bf16', states: {} }, 'input');
  const [q, k, v, dy] = [input(), input(), input(), input()];
  const product = (a: number, b: number, transposeA: boolean, transposeB: boolean, id: string) =>
    builder.emit('matmul', [a, b], { transposeA, transposeB, scale: 1 }, at(id));
  const results: number[] = [];
  const { ops } = builder.block(() => {
    const scores = builder.emit('scale', [product(q, k, false, true, 'scores')], { factor: 0.1 }, at('scale'));
    const weights = builder.emit('softmax', [scores], causal ? { causal } : {}, at('softmax'));
    if (kept) results.push(weights);
    if (!backward) return results.push(product(weights, v, false, false, 'mix'));
    results.push(product(weights, dy, true, false, 'dv'));
    const ds = builder.emit('softmax_backward', [weights, product(dy, v, false, true, 'dp')], {}, at('ds'));
    return results.push(product(ds, k, false, false, 'dq'), product(ds, q, true, false, 'dk'));
  });
  builder.append(ops);
  return fuse(
    builder.finish(
      [],
      results.map((value, index) => ({ name: `result:${index}`, value })),
    ),
  );
}

const costOf = ({ ops, values }: Program, stack: Stack, chip: Chip = tpu): KernelCost =>
  kernelCost(ops[0]!, values, { chip, computeSlowdown: 1 }, stack);

const shape = { batch: 2, heads: 4, tokens: 2048, width: 128, causal: false };
const HEADS = 2 * (2 * 4 * 2048 * 128);
const SCORES = 2 * (2 * 4 * 2048 * 2048);

describe('attention', () => {
  it('fused reads q, k and v and writes the result, and no scores', () => {
    expect(costOf(attention(shape), flash).memoryBytes).toBe(4 * HEADS);
    expect(costOf(attention(shape), plain).memoryBytes).toBe(4 * HEADS + 4 * SCORES);
    expect(costOf(attention(shape), flash).pieces).toBe(1);
  });

  it('fused backward reads four and writes three, its five products are one launch', () => {
    const cost = costOf(attention({ ...shape, backward: true }), flash);
    expect(cost.memoryBytes).toBe(7 * HEADS);
    expect(cost.pieces).toBe(1);
    expect(cost.matmulFlops).toBe(5 * 2 * (2 * 4 * 2048 * 2048 * 128));
  });

  it('fused leaves no scores in memory, even where every other op is a kernel of its own', () => {
    const eager = { ...flash, elementwise: 'none', epilogues: 'separate', operands: 'separate' } as const;
    for (const backward of [false, true]) {
      const program = attention({ ...shape, backward });
      expect(costOf(program, eager).memoryBytes).toBe(costOf(program, flash).memoryBytes);
    }
  });

  it('whose weights are kept for the backward pass is not fused: they have to be written', () => {
    const kept = attention({ ...shape, kept: true });
    expect(costOf(kept, flash)).toEqual(costOf(kept, plain));
  });

  it('is found by what its ops do, whatever lies beside it', () => {
    const { ops, values } = attention(shape);
    const inside = (ops[0] as Op).region!.ops;
    const [group, ...others] = attentionGroups(inside, values, new Set(ops[0]!.results));
    expect(others).toEqual([]);
    expect(group!.ops.map(({ name }) => name)).toEqual(['matmul', 'scale', 'softmax', 'matmul']);
    expect(attentionGroups(inside.slice(0, -1), values, new Set(inside.at(-2)!.results))).toEqual([]);
    expect(attentionGroups(inside.slice(1), values, new Set(ops[0]!.results))).toEqual([]);
  });

  it('fused and causal leaves out nearly half of a long sequence and nothing of a short one', () => {
    const share = (tokens: number, backward: boolean): number => {
      const causal = costOf(attention({ ...shape, tokens, backward, causal: true }), flash);
      return causal.paddedMatmulFlops / costOf(attention({ ...shape, tokens, backward }), flash).paddedMatmulFlops;
    };
    for (const backward of [false, true]) {
      expect(share(8192, backward)).toBeCloseTo((1 + 128 / 8192) / 2, 12);
      expect(share(128, backward)).toBe(1);
    }
  });

  it('fused executes no more than it computes: what causal attention leaves out is in no FLOPs', () => {
    for (const chip of [tpu, a100])
      for (const backward of [false, true]) {
        const one = { ...shape, tokens: 4096, backward };
        const [causal, whole] = [
          costOf(attention({ ...one, causal: true }), flash, chip),
          costOf(attention(one), flash, chip),
        ];
        expect(causal.matmulFlops / whole.matmulFlops).toBeCloseTo((1 + 128 / 4096) / 2, 12);
        expect(causal.vectorFlops / whole.vectorFlops).toBeCloseTo((1 + 128 / 4096) / 2, 12);
        expect(costOf(attention({ ...one, causal: true }), plain, chip).matmulFlops).toBe(whole.matmulFlops);
      }
  });

  it.each([
    ['measured as one kernel', a100, 32],
    ['of matmuls', tpu, 128],
  ])('%s does as much for heads that are filled up with zeros as for whole ones', (_, chip, multiple) => {
    for (const backward of [false, true])
      for (const width of [40, 72, 112, 128]) {
        const padded = (of: number) =>
          costOf(attention({ ...shape, width: of, backward }), flash, chip).paddedMatmulFlops;
        expect(padded(width) / padded(Math.ceil(width / multiple) * multiple)).toBeCloseTo(1, 12);
      }
  });

  it('fused and measured wastes an eighth of its time on heads of width 112', () => {
    const rate = (width: number): number => {
      const { matmulFlops, matmulSeconds } = costOf(attention({ ...shape, width }), flash, a100);
      return matmulFlops / matmulSeconds;
    };
    expect(rate(112) / rate(128)).toBeCloseTo(7 / 8, 9);
  });

  it('fused never moves more bytes, and on a chip without a measurement never takes longer', () => {
    const random = fc.record({
      batch: fc.integer({ min: 1, max: 4 }),
      heads: fc.integer({ min: 1, max: 4 }),
      tokens: fc.integer({ min: 1, max: 3000 }),
      width: fc.integer({ min: 1, max: 256 }),
      causal: fc.boolean(),
      backward: fc.boolean(),
    });
    fc.assert(
      fc.property(random, (one) => {
        const [fused, unfused] = [costOf(attention(one), flash), costOf(attention(one), plain)];
        expect(fused.memoryBytes).toBeLessThan(unfused.memoryBytes);
        for (const chip of [tpu, a100]) {
          const { matmulFlops, paddedMatmulFlops, seconds } = costOf(attention(one), flash, chip);
          expect(matmulFlops).toBeLessThanOrEqual(paddedMatmulFlops * (1 + 1e-12));
          expect(matmulFlops).toBeLessThanOrEqual(seconds * chip.matmul.bf16!.peak);
        }
        expect(fused.seconds).toBeLessThanOrEqual(unfused.seconds * (1 + 1e-12));
      }),
    );
  });
});
