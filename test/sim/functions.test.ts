import { describe, expect, it } from 'vitest';
import { loadHardware, loadStack } from '../../src/hardware/index.js';
import { createMesh } from '../../src/mesh/index.js';
import type { Program, ValueId } from '../../src/program/index.js';
import { Builder, fuse } from '../../src/program/index.js';
import type { KernelCost } from '../../sim/index.js';
import { kernelCost, widenedOf } from '../../sim/index.js';

const a100 = loadHardware('a100-80gb-sxm').chip;
const eager = loadStack('pytorch-fsdp');
const [ROWS, WIDTH] = [4096, 1024];
const ACTIVATIONS = ROWS * WIDTH * 2;
const GAIN = WIDTH * 4;
const at = (id: string) => ({ id, phase: 'forward' as const });

/** One kernel of what is written. */
function kernelOf(write: (builder: Builder) => ValueId): Program {
  const builder = new Builder(createMesh({}));
  let result = 0;
  const { ops } = builder.block(() => [(result = write(builder))]);
  builder.append(ops);
  return fuse(builder.finish([], [{ name: 'result', value: result }]));
}

const input = (builder: Builder, shape: readonly number[], dtype: 'bf16' | 'f32' = 'bf16'): ValueId =>
  builder.value({ shape, dtype, states: {} }, 'input');

const costOf = (program: Program, stack = eager): KernelCost => {
  expect(program.ops).toHaveLength(1);
  return kernelCost(
    program.ops[0]!,
    program.values,
    { chip: a100, computeSlowdown: 1 },
    stack,
    widenedOf(program, stack.norms),
  );
};

/** As models write it: in f32 between bf16. */
function norm(builder: Builder, x: ValueId): ValueId {
  const wide = builder.emit('cast', [x], { dtype: 'f32' }, at('widen'));
  const sums = builder.emit('moments', [wide], { centered: true, width: WIDTH }, at('moments'));
  const operands = [wide, sums, input(builder, [WIDTH], 'f32'), input(builder, [WIDTH], 'f32')];
  const normed = builder.emit('normalize', operands, { centered: true, epsilon: 1e-5 }, at('normalize'));
  return builder.emit('cast', [normed], { dtype: 'bf16' }, at('narrow'));
}

const linear = (builder: Builder, x: ValueId, id: string): ValueId =>
  builder.emit(
    'matmul',
    [x, input(builder, [WIDTH, WIDTH])],
    { transposeA: false, transposeB: false, scale: 1 },
    at(id),
  );

describe('a stack that runs function by function', () => {
  it('reads and writes a norm once, in the narrow type, whatever the ops between', () => {
    const program = kernelOf((builder) => norm(builder, input(builder, [ROWS, WIDTH])));
    expect(costOf(program)).toMatchObject({ memoryBytes: 2 * ACTIVATIONS + 2 * GAIN, pieces: 1 });
    // Op by op: 2 + 4, 4 and 8 bytes of sums, 4 + 4, 4 + 2 an element.
    const each = costOf(program, { ...eager, elementwise: 'none' });
    expect(each).toMatchObject({ memoryBytes: 12 * ACTIVATIONS + 2 * (ROWS * 2 * 4) + 2 * GAIN, pieces: 4 });
  });

  it('runs functions after each other apart, where a compiler joins them', () => {
    const program = kernelOf((builder) => {
      const x = input(builder, [ROWS, WIDTH]);
      const sum = builder.emit('add', [x, input(builder, [ROWS, WIDTH])], {}, at('residual'));
      return norm(builder, sum);
    });
    expect(costOf(program)).toMatchObject({ memoryBytes: 5 * ACTIVATIONS + 2 * GAIN, pieces: 2 });
    expect(costOf(program, { ...eager, elementwise: 'cluster' })).toMatchObject({
      memoryBytes: 3 * ACTIVATIONS + 2 * GAIN,
      pieces: 1,
    });
  });

  it('adds a bias in the matmul and nothing else', () => {
    const biased = kernelOf((builder) => {
      const product = linear(builder, input(builder, [ROWS, WIDTH]), 'in');
      const sum = builder.emit('add', [product, input(builder, [WIDTH])], {}, at('bias'));
      return builder.emit('gelu', [sum], {}, at('gelu'));
    });
    const matmul = 2 * ACTIVATIONS + WIDTH * WIDTH * 2 + WIDTH * 2;
    expect(costOf(biased)).toMatchObject({ memoryBytes: matmul + 2 * ACTIVATIONS, pieces: 2 });
    expect(costOf(biased, { ...eager, epilogues: 'separate' }).pieces).toBe(3);
    expect(costOf(biased, { ...eager, epilogues: 'fused' }).pieces).toBe(1);
  });

  it('gives another shape to what is there for nothing', () => {
    const viewed = kernelOf((builder) => {
      const product = linear(builder, input(builder, [1, ROWS, WIDTH]), 'in');
      const heads = builder.emit('split_heads', [product], { headWidth: 64 }, at('heads'));
      return linear(builder, builder.emit('merge_heads', [heads], {}, at('merge')), 'out');
    });
    expect(costOf(viewed)).toMatchObject({ memoryBytes: 2 * (2 * ACTIVATIONS + WIDTH * WIDTH * 2), pieces: 2 });
  });

  it('widens what others than norms read in a kernel of its own', () => {
    const program = kernelOf((builder) => {
      const wide = builder.emit('cast', [input(builder, [ROWS, WIDTH])], { dtype: 'f32' }, at('widen'));
      return builder.emit('log_sum_exp', [wide], {}, at('sums'));
    });
    expect(widenedOf(program, 'fused').size).toBe(0);
    expect(costOf(program)).toMatchObject({ memoryBytes: 5 * ACTIVATIONS + ROWS * 4, pieces: 2 });
  });
});

describe('writing a product', () => {
  it('takes its exposed share of the time that its bytes take', () => {
    const program = kernelOf((builder) => linear(builder, input(builder, [ROWS, WIDTH]), 'in'));
    const unit = a100.matrixUnit;
    const secondsAt = (exposedWrite: number): number => {
      const chip = { ...a100, matrixUnit: { ...unit, exposedWrite } };
      return kernelCost(program.ops[0]!, program.values, { chip, computeSlowdown: 1 }, eager).seconds;
    };
    const bytes = ACTIVATIONS / a100.memoryBandwidth.achievable;
    expect(secondsAt(0.75) - secondsAt(0)).toBeCloseTo(0.75 * bytes, 12);
  });
});
