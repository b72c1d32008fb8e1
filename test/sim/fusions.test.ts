/** What a stack computes together, and what that reads and writes. */
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import type { KernelCost } from '../../sim/index.js';
import { kernelCost, piecesOf, trafficBytes } from '../../sim/index.js';
import type { Stack } from '../../src/hardware/index.js';
import { loadHardware, loadStack } from '../../src/hardware/index.js';
import { createMesh } from '../../src/mesh/index.js';
import type { DType, Op, Program, ValueId } from '../../src/program/index.js';
import { Builder, forEachOp, fuse } from '../../src/program/index.js';
import { randomProgram } from '../helpers/random-program.js';

const { chip } = loadHardware('tpu-v4');
const [xla, pytorch] = [loadStack('maxtext-xla'), loadStack('pytorch-fsdp')];
const megatron: Stack = { ...loadStack('megatron-lm'), attentionDropout: false };
const [ROWS, WIDTH] = [4096, 1024];
const ACTIVATIONS = ROWS * WIDTH * 2;
const SUMS = ROWS * 4;
const WEIGHT = WIDTH * WIDTH * 2;
const GAIN = WIDTH * 4;

class Written {
  readonly builder = new Builder(createMesh({}));
  readonly results: ValueId[] = [];

  value(shape: readonly number[], dtype: DType = 'bf16'): ValueId {
    return this.builder.value({ shape, dtype, states: {} }, 'input');
  }

  at(id: string): { readonly id: string; readonly phase: 'forward' } {
    return { id, phase: 'forward' };
  }

  matmul(x: ValueId, id: string, w = this.value([WIDTH, WIDTH])): ValueId {
    return this.builder.emit('matmul', [x, w], { transposeA: false, transposeB: false, scale: 1 }, this.at(id));
  }

  /** As models write it: in f32 between bf16. */
  norm(x: ValueId, id = 'norm'): ValueId {
    const { builder } = this;
    const wide = builder.emit('cast', [x], { dtype: 'f32' }, this.at(`${id}/widen`));
    const sums = builder.emit('moments', [wide], { centered: false, width: WIDTH }, this.at(`${id}/moments`));
    const attributes = { centered: false, epsilon: 1e-6 };
    const operands = [wide, sums, this.value([WIDTH], 'f32')];
    const normed = builder.emit('normalize', operands, attributes, this.at(`${id}/normalize`));
    return builder.emit('cast', [normed], { dtype: 'bf16' }, this.at(`${id}/narrow`));
  }
}

/** One kernel of what is written. */
function kernelOf(write: (into: Written) => readonly ValueId[]): Program {
  const into = new Written();
  const { ops } = into.builder.block(() => into.results.push(...write(into)));
  into.builder.append(ops);
  return fuse(
    into.builder.finish(
      [],
      into.results.map((value, index) => ({ name: `result:${index}`, value })),
    ),
  );
}

const costOf = ({ ops, values }: Program, stack: Stack): KernelCost => {
  expect(ops).toHaveLength(1);
  return kernelCost(ops[0]!, values, { chip, computeSlowdown: 1 }, stack);
};

describe('where reductions end a fusion', () => {
  it('a norm reads its rows twice, once for the sums; a kernel that keeps its rows on the chip reads them once', () => {
    const alone = kernelOf((into) => [into.norm(into.value([ROWS, WIDTH]))]);
    expect(costOf(alone, xla)).toMatchObject({ memoryBytes: 3 * ACTIVATIONS + 2 * SUMS + GAIN, pieces: 2 });
    expect(costOf(alone, megatron)).toMatchObject({ memoryBytes: 2 * ACTIVATIONS + GAIN, pieces: 1 });
  });

  it('the sums of a norm cost nothing after a matmul, nor does what it makes of them before one', () => {
    const between = kernelOf((into) => [into.matmul(into.norm(into.matmul(into.value([ROWS, WIDTH]), 'a')), 'b')]);
    const matmuls = 2 * (2 * ACTIVATIONS + WEIGHT);
    expect(costOf(between, xla)).toMatchObject({ memoryBytes: matmuls + 2 * SUMS + GAIN, pieces: 2 });
    expect(costOf(between, megatron)).toMatchObject({ memoryBytes: matmuls + 2 * ACTIVATIONS + GAIN, pieces: 3 });
  });

  it('what other kernels need is written once, and matmuls of this one make it from fewer bytes, or read it', () => {
    const kept = kernelOf((into) => {
      const normed = into.norm(into.matmul(into.value([ROWS, WIDTH]), 'a'));
      return [normed, into.matmul(normed, 'b')];
    });
    const matmuls = 2 * (2 * ACTIVATIONS + WEIGHT);
    // A pass that reads the product and writes what is kept; the second matmul reads that.
    expect(costOf(kept, xla).memoryBytes).toBe(matmuls + 2 * ACTIVATIONS + 2 * SUMS + GAIN);
  });

  it('a softmax after a matmul reads the scores once more, for the sums; apart from it twice, for the maxima too', () => {
    const softmax = (into: Written, scores: ValueId) => into.builder.emit('softmax', [scores], {}, into.at('softmax'));
    const apart = kernelOf((into) => [softmax(into, into.value([ROWS, WIDTH]))]);
    expect(costOf(apart, xla)).toMatchObject({ memoryBytes: 3 * ACTIVATIONS, pieces: 2 });
    const after = kernelOf((into) => [softmax(into, into.matmul(into.value([ROWS, WIDTH]), 'scores'))]);
    expect(costOf(after, xla)).toMatchObject({ memoryBytes: 4 * ACTIVATIONS + WEIGHT, pieces: 2 });
    expect(costOf(after, megatron)).toMatchObject({ memoryBytes: 4 * ACTIVATIONS + WEIGHT, pieces: 2 });
  });

  it('the gradient of a softmax that only matmuls read is never written', () => {
    const gradients = (into: Written) => {
      const weights = into.value([ROWS, WIDTH]);
      const ds = into.matmul(into.value([ROWS, WIDTH]), 'dp');
      const dy = into.builder.emit('softmax_backward', [weights, ds], {}, into.at('ds'));
      return [into.matmul(dy, 'dq'), into.matmul(dy, 'dk')];
    };
    const matmuls = 3 * (2 * ACTIVATIONS + WEIGHT);
    // The first sums over weights; the others read weights and products, in place of the gradient.
    expect(costOf(kernelOf(gradients), xla)).toMatchObject({ memoryBytes: matmuls + 3 * ACTIVATIONS, pieces: 3 });
    expect(costOf(kernelOf(gradients), megatron)).toMatchObject({ memoryBytes: matmuls + 3 * ACTIVATIONS, pieces: 4 });
  });

  it('what is dear to compute is computed once and written', () => {
    const twice = kernelOf((into) => {
      const x = into.value([ROWS, WIDTH]);
      const activated = into.builder.emit('gelu', [x], {}, into.at('gelu'));
      return [into.matmul(activated, 'a'), into.matmul(activated, 'b')];
    });
    expect(costOf(twice, xla)).toMatchObject({ memoryBytes: 6 * ACTIVATIONS + 2 * WEIGHT, pieces: 3 });
  });

  it('a sum over rows of what a matmul makes is a part of it', () => {
    const bias = kernelOf((into) => {
      const dy = into.matmul(into.value([ROWS, WIDTH]), 'dx');
      return [dy, into.builder.emit('sum', [dy], { dimensions: [0] }, into.at('bias'))];
    });
    expect(costOf(bias, xla)).toMatchObject({ memoryBytes: 2 * ACTIVATIONS + WEIGHT + 2 * WIDTH, pieces: 1 });
  });
});

test('a loss that is written as passes over logits moves their bytes, whatever its kernels have in one', () => {
  const loss = kernelOf((into) => {
    const wide = into.builder.emit('cast', [into.value([ROWS, WIDTH])], { dtype: 'f32' }, into.at('widen'));
    return [into.builder.emit('log_sum_exp', [wide], {}, into.at('lse'))];
  });
  const { crossEntropy, ...rest } = megatron;
  expect(costOf(loss, rest).memoryBytes).toBe(ACTIVATIONS + SUMS);
  const passes = crossEntropy!.forwardBytesPerLogit;
  const perLogit = passes.reduce((total, one) => total + one, 0);
  expect(costOf(loss, megatron)).toMatchObject({ memoryBytes: ROWS * WIDTH * perLogit, pieces: passes.length });
});

describe('a gradient that is added to a running sum in f32, after other matmuls', () => {
  const gradient = kernelOf((into) => {
    const { builder } = into;
    const as = (id: string) => ({ ...into.at(id), role: 'gradient' as const });
    const made = into.matmul(into.value([ROWS, WIDTH]), 'gradient');
    const next = into.matmul(into.value([ROWS, WIDTH]), 'other');
    const wide = builder.emit('cast', [made], { dtype: 'f32' }, as('widen'));
    return [next, builder.emit('add', [wide, into.value([ROWS, WIDTH], 'f32')], {}, as('add'))];
  });
  const matmuls = 2 * (ACTIVATIONS + WEIGHT) + ACTIVATIONS;

  it('is added as its matmul writes it, where the stack does that', () => {
    const { memoryBytes, pieces } = costOf(gradient, { ...megatron, accumulation: 'fused' });
    expect({ memoryBytes, pieces }).toEqual({ memoryBytes: matmuls + 2 * (2 * ACTIVATIONS), pieces: 2 });
  });

  it('is written in its own type and added by another pass, where it does not', () => {
    const { memoryBytes, pieces } = costOf(gradient, { ...megatron, accumulation: 'separate' });
    expect({ memoryBytes, pieces }).toEqual({
      memoryBytes: matmuls + 2 * ACTIVATIONS + 2 * (2 * ACTIVATIONS),
      pieces: 3,
    });
  });
});

describe('any kernel', () => {
  const kernelsOf = (seed: number): { readonly kernels: readonly Op[]; readonly program: Program } => {
    const program = fuse(randomProgram(seed));
    const kernels: Op[] = [];
    forEachOp(program.ops, (op) => op.name === 'kernel' && kernels.push(op));
    return { kernels, program };
  };
  const seeds = fc.integer({ min: 0, max: 2 ** 31 - 1 });
  const stacks = fc.constantFrom(xla, megatron, pytorch);

  it('moves at least what it reads of others and leaves for them, and does all of its FLOPs', () => {
    fc.assert(
      fc.property(seeds, stacks, (seed, stack) => {
        const { kernels, program } = kernelsOf(seed);
        for (const kernel of kernels) {
          const { ops } = kernel.region!;
          const kept = new Set(kernel.results);
          const cost = kernelCost(kernel, program.values, { chip, computeSlowdown: 1 }, stack);
          expect(cost.memoryBytes).toBeGreaterThanOrEqual(trafficBytes(ops, program.values, (id) => kept.has(id)));
          const computed = new Set(piecesOf(ops, program.values, stack, kept).flatMap((piece) => piece.ops));
          expect(ops.filter((op) => kept.has(op.results[0]!) && !computed.has(op))).toEqual([]);
        }
      }),
      { numRuns: 150 },
    );
  });

  it('moves no more with operands made where they are read, and no less with sums that end a fusion', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const { kernels, program } = kernelsOf(seed);
        const bytes = (changes: Partial<Stack>): number =>
          kernels.reduce(
            (total, kernel) =>
              total +
              kernelCost(kernel, program.values, { chip, computeSlowdown: 1 }, { ...xla, ...changes }).memoryBytes,
            0,
          );
        const separate = { epilogues: 'separate', operands: 'separate' } as const;
        expect(bytes({})).toBeLessThanOrEqual(bytes({ operands: 'separate' }));
        expect(bytes({ ...separate, reductions: 'one-pass' })).toBeLessThanOrEqual(bytes(separate));
      }),
      { numRuns: 150 },
    );
  });
});
