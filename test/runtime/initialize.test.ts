import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { axisSize, createMesh, globalShape, rankCount } from '../../src/mesh/index.js';
import type { Segments } from '../../src/mesh/index.js';
import type { AxisStates, Mesh } from '../../src/mesh/index.js';
import { elementCount } from '../../src/program/index.js';
import type { Initializer, ValueType } from '../../src/program/index.js';
import { assembleGlobal, cutShard, initialParameter, zeroState } from '../../src/runtime/index.js';
import type { HostTensor } from '../../src/runtime/kernels/family.js';
import { stored } from '../../src/runtime/kernels/tensors.js';
import { counting, tensorType } from './support.js';

const normal: Initializer = { kind: 'normal', standardDeviation: 0.5 };
const single = createMesh({});
const ranksOf = (mesh: Mesh): number[] => Array.from({ length: rankCount(mesh) }, (_, rank) => rank);

const draw = (
  mesh: Mesh,
  rank: number,
  type: ValueType,
  { seed = 1, name = 'kernel', segments }: { seed?: number; name?: string; segments?: Segments | undefined } = {},
) => initialParameter(mesh, rank, { name, initializer: normal, ...(segments && { segments }) }, type, seed);

/** A mesh, and a type on it whose whole tensor may have segments along one dimension. */
const sharding = fc
  .record({
    replica: fc.integer({ min: 1, max: 2 }),
    data: fc.integer({ min: 1, max: 3 }),
    model: fc.integer({ min: 1, max: 4 }),
    over: fc.record({
      replica: fc.integer({ min: -1, max: 2 }),
      data: fc.integer({ min: -1, max: 2 }),
      model: fc.integer({ min: -1, max: 2 }),
    }),
    local: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 3 })),
    parts: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 3 }),
    segmented: fc.boolean(),
  })
  .map(({ replica, data, model, over, local, parts, segmented }) => {
    const mesh = createMesh({ replica, data, model });
    const states: Record<string, number> = {};
    for (const name of ['data', 'model'] as const)
      if (axisSize(mesh, name) > 1 && over[name] >= 0) states[name] = over[name];
    const shape: number[] = [...local];
    if (segmented) shape[1] = parts.reduce((total, size) => total + size, 0);
    const type = tensorType(shape, states as AxisStates);
    const scale = globalShape(mesh, shape, type.states)[1]! / shape[1]!;
    const segments: Segments | undefined = segmented
      ? { dimension: 1, sizes: parts.map((size) => size * scale) }
      : undefined;
    return { mesh, type, segments };
  });

describe('a shard', () => {
  it('of every rank, put together, is the whole tensor again', () => {
    fc.assert(
      fc.property(sharding, ({ mesh, type, segments }) => {
        const whole = counting(elementCount(globalShape(mesh, type.shape, type.states)), 0, 'f64');
        const shards = ranksOf(mesh).map((rank) => cutShard(mesh, rank, whole, type, segments));
        expect(assembleGlobal(mesh, shards, type, segments)).toEqual(whole);
      }),
    );
  });

  it('of a fused projection holds a share of every segment', () => {
    const mesh = createMesh({ model: 2 });
    const segments = { dimension: 1, sizes: [2, 4] };
    const shard = cutShard(mesh, 1, Float64Array.of(0, 1, 2, 3, 4, 5), tensorType([1, 3], { model: 1 }), segments);
    expect([...shard]).toEqual([1, 4, 5]);
  });

  it('that is partial is a term of the whole', () => {
    const mesh = createMesh({ data: 2, model: 2 });
    const type = tensorType([2], { data: 'partial', model: 0 });
    const shards = [
      [1, 2],
      [3, 4],
      [10, 20],
      [30, 40],
    ].map((values) => Float64Array.from(values));
    expect([...assembleGlobal(mesh, shards, type)]).toEqual([11, 22, 33, 44]);
  });
});

describe('halves', () => {
  const half = (...values: number[]) => stored('bf16', Float32Array.from(values));

  it('are cut and put together as they are', () => {
    const mesh = createMesh({ model: 2 });
    const type = tensorType([2, 1], { model: 1 }, 'bf16');
    const whole = half(1, -2, 3, 0.5);
    const shards = ranksOf(mesh).map((rank) => cutShard(mesh, rank, whole, type));
    expect(shards).toEqual([half(1, 3), half(-2, 0.5)]);
    expect(assembleGlobal(mesh, shards, type)).toEqual(whole);
  });

  it('that are partial are summed before they are rounded', () => {
    const mesh = createMesh({ data: 3 });
    const terms = [half(256), half(1), half(1)];
    expect(assembleGlobal(mesh, terms, tensorType([1], { data: 'partial' }, 'bf16'))).toEqual(half(258));
  });

  it('begin as the float32 parameters do, rounded', () => {
    const single32 = draw(single, 0, tensorType([100], {}, 'f32')) as Float32Array;
    for (const dtype of ['bf16', 'f16'] as const) {
      expect(draw(single, 0, tensorType([100], {}, dtype))).toEqual(stored(dtype, single32));
    }
    const ones = initialParameter(
      single,
      0,
      { name: 'gain', initializer: { kind: 'ones' } },
      tensorType([2], {}, 'bf16'),
      1,
    );
    expect(ones).toEqual(half(1, 1));
  });
});

describe('initial parameters', () => {
  it('do not depend on the mesh', () => {
    fc.assert(
      fc.property(sharding, ({ mesh, type, segments }) => {
        const whole = draw(single, 0, { ...type, shape: globalShape(mesh, type.shape, type.states), states: {} });
        const shards = ranksOf(mesh).map((rank) => draw(mesh, rank, type, { segments }) as HostTensor);
        expect(assembleGlobal(mesh, shards, type, segments)).toEqual(whole);
      }),
    );
  });

  it('are standard normal numbers, scaled, without correlation between neighbours', () => {
    const values = draw(single, 0, tensorType([100_000], {}, 'f32')) as Float32Array;
    const mean = (f: (value: number, index: number) => number): number =>
      values.reduce((total, value, index) => total + f(value, index), 0) / values.length;
    expect(Math.abs(mean((value) => value))).toBeLessThan(0.006);
    expect(Math.sqrt(mean((value) => value ** 2))).toBeCloseTo(0.5, 2);
    expect(mean((value) => (value / 0.5) ** 4)).toBeCloseTo(3, 0);
    expect(Math.abs(mean((value, index) => value * (values[index + 1] ?? 0)))).toBeLessThan(0.003);
    expect(Math.abs(mean((value, index) => value * (values[index + 64] ?? 0)))).toBeLessThan(0.003);
  });

  it('differ by seed, name and layer, and are the same for the same', () => {
    const type = { ...tensorType([4]), stack: 2 };
    const all = [draw(single, 0, type), draw(single, 0, type, { seed: 2 }), draw(single, 0, type, { name: 'gain' })];
    const texts = all.flatMap((layers) => (layers as HostTensor[]).map(String));
    expect(new Set(texts).size).toBe(6);
    expect(draw(single, 0, type)).toEqual(all[0]);
  });

  it('may be zeros or ones, and optimizer state is zeros', () => {
    const type = { ...tensorType([2], {}, 'f32'), stack: 2 };
    const ones = initialParameter(single, 0, { name: 'gain', initializer: { kind: 'ones' } }, type, 1);
    expect(ones).toEqual([Float32Array.of(1, 1), Float32Array.of(1, 1)]);
    expect(zeroState(type)).toEqual([Float32Array.of(0, 0), Float32Array.of(0, 0)]);
  });
});
