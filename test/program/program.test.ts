import { describe, expect, test } from 'vitest';
import { createMesh } from '../../src/mesh/index.js';
import type { MatmulWork, Op, Program, Rematerialization } from '../../src/program/index.js';
import {
  Builder,
  DEFAULT_ADAMW,
  countCollectiveBytes,
  countMatmulFlops,
  differentiate,
  forEachOp,
  fuse,
  isCollective,
  lowerTrainingStep,
  matmulFlops,
  memoryUse,
  print,
  typeBytes,
  verify,
} from '../../src/program/index.js';
import type { ModelConfig } from '../../src/models/index.js';
import { forward as forwardOf, tokensPerExample } from '../../src/models/index.js';
import { SMALL_VIT } from '../helpers/models.js';

interface Options {
  readonly model?: ModelConfig;
  readonly mesh?: { data?: number; model?: number };
  readonly batch?: number;
  readonly microbatches?: number;
  readonly rematerialize?: Rematerialization;
}

const forward = ({ model = SMALL_VIT, mesh = {}, batch = 16, microbatches = 1 }: Options = {}): Program =>
  forwardOf(model, {
    mesh: createMesh(mesh),
    batch: batch / microbatches,
    lossDivisor: batch,
    parameterType: 'f32',
    computeType: 'f32',
    activations: 'width',
    output: 'loss',
  });
const step = (options: Options = {}): Program =>
  lowerTrainingStep(forward(options), {
    microbatches: options.microbatches ?? 1,
    optimizer: DEFAULT_ADAMW,
    rematerialize: options.rematerialize ?? 'none',
  });
const total = (values: object): number => Object.values(values).reduce((sum: number, value: number) => sum + value, 0);

test('the printed program of a sharded layer', () => {
  const text = print(forward({ mesh: { data: 2, model: 2 }, model: { ...SMALL_VIT, depth: 2, pooling: 'mean' } }));
  expect(text).toMatchSnapshot();
  const lines = text.split('\n');
  const layer = lines.slice(
    lines.findIndex((line) => line.includes('= repeat')),
    lines.findIndex((line) => line.includes('yield')),
  );
  expect(layer.length, 'a layer fits on a screen').toBeLessThan(50);
});

describe('verify', () => {
  const valid = forward({ mesh: { data: 2, model: 2 } });
  const replaceOp = (match: (op: Op) => boolean, change: (op: Op) => Op): Program => {
    const visit = (ops: readonly Op[]): Op[] =>
      ops.map((op) => {
        const changed = match(op) ? change(op) : op;
        return changed.region ? { ...changed, region: { ...changed.region, ops: visit(changed.region.ops) } } : changed;
      });
    return { ...valid, ops: visit(valid.ops) };
  };

  test('passes what the model builder made', () => {
    expect(verify(valid)).toBe(valid);
  });

  test('refuses an op whose result is not what its record infers', () => {
    const broken = replaceOp(
      (op) => op.name === 'all_gather',
      (op) => ({ ...op, attributes: { axis: 'model', dimensions: [1] } }),
    );
    expect(() => verify(broken)).toThrow(/PROGRAM_INVALID at all_gather/);
  });

  test('refuses a value used before it is defined', () => {
    const broken = replaceOp(
      (op) => op.id === 'embed/matmul',
      (op) => ({ ...op, operands: [op.results[0]!, ...op.operands.slice(1)] }),
    );
    expect(() => verify(broken)).toThrow(/PROGRAM_INVALID at embed\/matmul: expected values defined before their use/);
  });

  test('refuses two ops of one id', () => {
    const broken = replaceOp(
      (op) => op.id === 'embed/add-position',
      (op) => ({ ...op, id: 'embed/matmul' }),
    );
    expect(() => verify(broken)).toThrow(/unique ids/);
  });

  test('refuses a sum of a partial and a whole value, which would be added once a rank', () => {
    const builder = new Builder(createMesh({ model: 2 }));
    const options = { id: 'x', phase: 'forward' } as const;
    const make = (states: { model?: 'partial' }) =>
      builder.emit('constant', [], { shape: [2], dtype: 'f32', states, value: 1 }, options);
    expect(() => builder.emit('add', [make({ model: 'partial' }), make({})], {}, options)).toThrow(
      /PROGRAM_INVALID at add, axis model/,
    );
    expect(() => builder.emit('gelu', [make({ model: 'partial' })], {}, options)).toThrow(
      /PROGRAM_INVALID at gelu, axis model/,
    );
  });
});

describe('fuse', () => {
  const program = step({ mesh: { data: 2, model: 2 }, microbatches: 2 });

  test('keeps collectives apart and launches nothing whose results nobody reads', () => {
    forEachOp(fuse(differentiate(forward({ mesh: { model: 2 } }))).ops, (op) => expect(op.name).not.toBe('repeat'));
    const kernels: Op[] = [];
    const collect = (ops: readonly Op[]): void =>
      ops.forEach((op) => {
        if (op.name === 'kernel') kernels.push(op);
        else if (op.region) collect(op.region.ops);
      });
    collect(program.ops);
    for (const kernel of kernels) {
      expect(kernel.results.length, kernel.id).toBeGreaterThan(0);
      expect(kernel.region!.ops.some((op) => isCollective(op.name))).toBe(false);
    }
  });

  test('does not change what is computed or sent', () => {
    const plain = differentiate(forward({ mesh: { data: 2, model: 2 } }));
    expect(countMatmulFlops(fuse(plain))).toEqual(countMatmulFlops(plain));
    expect(countCollectiveBytes(fuse(plain))).toEqual(countCollectiveBytes(plain));
  });
});

describe('counts', () => {
  test('matmul FLOPs are divided evenly over the mesh, the head apart', () => {
    const one = countMatmulFlops(step());
    const many = countMatmulFlops(step({ mesh: { data: 2, model: 4 } }));
    // The pooling query is projected on every data rank: one row for all images.
    expect(many.forward * 8).toBeGreaterThanOrEqual(one.forward);
    expect(many.forward * 8).toBeLessThan(one.forward * 1.01);
  });

  test('the backward pass is twice the forward pass, but for the patches, whose input has no gradient', () => {
    const { forward: first, backward } = countMatmulFlops(step());
    const { patch, channels, width } = SMALL_VIT;
    const embed: MatmulWork = { batch: 1, m: 16 * tokensPerExample(SMALL_VIT), k: patch * patch * channels, n: width };
    expect(backward).toBe(2 * first - matmulFlops(embed));
  });

  test('a model axis sends activations, a data axis gradients', () => {
    const both = countCollectiveBytes(step({ mesh: { data: 2, model: 2 } }));
    expect(both.data).toBeGreaterThan(0);
    expect(both.model).toBeGreaterThan(0);
    const twice = countCollectiveBytes(step({ mesh: { data: 2, model: 2 }, batch: 32 }));
    expect(twice.data).toBe(both.data);
    expect(twice.model!).toBeGreaterThan(1.8 * both.model!);
  });
});

describe('memory', () => {
  const held = (program: Program): number =>
    program.inputs.reduce(
      (sum, { value, kind }) => (kind === 'data' ? sum : sum + typeBytes(program.values[value]!.type)),
      0,
    );

  test('adds up by role, holds all parameters and optimizer state, and names an op of the program', () => {
    const program = step({ mesh: { data: 2, model: 2 }, microbatches: 2 });
    const use = memoryUse(program);
    expect(total(use.byRole)).toBe(use.peakBytes);
    expect(use.byRole.parameter + use.byRole.optimizer).toBe(held(program));
    const ids = new Set<string>();
    forEachOp(program.ops, (op) => ids.add(op.id));
    expect(ids.has(use.peakOpId)).toBe(true);
  });

  test('falls with microbatches, with the data axis and with the model axis', () => {
    const peak = (options: Options) => memoryUse(step({ batch: 64, ...options })).peakBytes;
    expect(peak({ microbatches: 4 })).toBeLessThan(peak({}));
    expect(peak({ mesh: { data: 2 } })).toBeLessThan(peak({}));
    expect(peak({ mesh: { model: 2 } })).toBeLessThan(peak({}));
  });

  test('of a chain is what its two live values take', () => {
    const builder = new Builder(createMesh({}));
    const first = builder.value({ shape: [10], dtype: 'f32', states: {} }, 'input');
    let value = first;
    for (let index = 0; index < 5; index++)
      value = builder.emit('gelu', [value], {}, { id: `gelu-${index}`, phase: 'forward' });
    const program = builder.finish([{ kind: 'data', name: 'images', value: first }], [{ name: 'y', value }]);
    expect(memoryUse(program).peakBytes).toBe(80);
  });

  test('does not depend on how many microbatches follow the second', () => {
    const use = (microbatches: number) => memoryUse(step({ batch: 8 * microbatches, microbatches }));
    expect(use(8).byRole.activation).toBe(use(4).byRole.activation);
  });
});

describe('rematerialization', () => {
  const model = { ...SMALL_VIT, depth: 6, imageSize: 32, patch: 4 };
  const use = (rematerialize: Rematerialization) => {
    const program = step({ model, mesh: { model: 2 }, rematerialize });
    return { activation: memoryUse(program).byRole.activation, flops: total(countMatmulFlops(program)) };
  };
  const [none, selective, matmuls, full] = (['none', 'selective', 'matmuls', 'full'] as const).map(use) as [
    ReturnType<typeof use>,
    ReturnType<typeof use>,
    ReturnType<typeof use>,
    ReturnType<typeof use>,
  ];

  test('keeps less the more it makes again', () => {
    expect(selective.activation).toBeLessThan(none.activation);
    expect(full.activation).toBeLessThan(matmuls.activation);
    expect(full.activation).toBeLessThan(0.5 * none.activation);
  });

  test('selective multiplies the attention scores again, matmuls nothing, full all that the gradients need', () => {
    const { heads, width, depth } = model;
    const scores: MatmulWork = {
      batch: 16 * (heads / 2),
      m: tokensPerExample(model),
      n: tokensPerExample(model),
      k: width / heads,
    };
    expect(selective.flops - none.flops).toBe(depth * matmulFlops(scores));
    expect(matmuls.flops).toBe(none.flops);
    expect(full.flops).toBeGreaterThan(selective.flops);
    expect(full.flops).toBeLessThan((4 / 3) * none.flops);
  });
});
