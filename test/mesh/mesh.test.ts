import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  batchParts,
  coordinate,
  createMesh,
  dualStates,
  globalShape,
  gradientParts,
  group,
  groups,
  rankCount,
  shardRanges,
  sumOrder,
} from '../../src/mesh/index.js';
import type { AxisStates, Mesh } from '../../src/mesh/index.js';

const sizes = fc.record({
  replica: fc.integer({ min: 1, max: 3 }),
  data: fc.integer({ min: 1, max: 6 }),
  sequence: fc.integer({ min: 1, max: 3 }),
  model: fc.integer({ min: 1, max: 6 }),
});

describe('a mesh', () => {
  test('drops axes of size 1: nothing can be sharded over them', () => {
    expect(createMesh({ data: 4, model: 1 }).axes).toEqual([{ name: 'data', size: 4 }]);
  });

  test('refuses a size that is no count', () => {
    expect(() => createMesh({ data: 0 })).toThrow(/JOB_INVALID at mesh.data/);
    expect(() => createMesh({ model: 1.5 })).toThrow(/JOB_INVALID at mesh.model/);
  });

  test('varies its last axis fastest', () => {
    const mesh = createMesh({ data: 2, model: 3 });
    expect([0, 1, 2, 3, 4, 5].map((rank) => [coordinate(mesh, rank, 'data'), coordinate(mesh, rank, 'model')])).toEqual(
      [
        [0, 0],
        [0, 1],
        [0, 2],
        [1, 0],
        [1, 1],
        [1, 2],
      ],
    );
  });

  test('has copies outermost: a batch is split over them first, and sums are made over them last', () => {
    const mesh = createMesh({ model: 2, data: 3, replica: 2 });
    expect(mesh.axes.map(({ name }) => name)).toEqual(['replica', 'data', 'model']);
    expect(sumOrder(mesh)).toEqual(['data', 'model', 'replica']);
    expect(batchParts(mesh)).toBe(6);
    const rows = Array.from(
      { length: 12 },
      (_, rank) => shardRanges(mesh, rank, [12], { replica: 0, data: 0 })[0]![0]!,
    );
    expect(rows.map(({ start }) => start)).toEqual([0, 0, 2, 2, 4, 4, 6, 6, 8, 8, 10, 10]);
  });

  test('has the tokens of a sequence on neighbours: sums over them are made first', () => {
    const mesh = createMesh({ replica: 2, data: 2, sequence: 2, model: 2 });
    expect(sumOrder(mesh)).toEqual(['sequence', 'data', 'model', 'replica']);
    expect(group(mesh, 0, 'sequence')).toEqual([0, 2]);
    expect(batchParts(mesh)).toBe(4);
    expect(gradientParts(mesh)).toBe(8);
  });

  test('is partitioned by the groups along each axis', () => {
    fc.assert(
      fc.property(sizes, (given) => {
        const mesh = createMesh(given);
        for (const { name } of mesh.axes) {
          const all = groups(mesh, name);
          expect(all.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: rankCount(mesh) }, (_, rank) => rank));
          for (const members of all) for (const rank of members) expect(group(mesh, rank, name)).toEqual(members);
        }
      }),
    );
  });
});

describe('shards', () => {
  test('of all ranks cover the whole tensor once for each replica', () => {
    fc.assert(
      fc.property(sizes, (given) => {
        const mesh = createMesh(given);
        const states = Object.fromEntries(mesh.axes.map(({ name }) => [name, name === 'model' ? 1 : 0]));
        const whole = globalShape(mesh, [2, 3], states);
        const seen = new Map<string, number>();
        for (let rank = 0; rank < rankCount(mesh); rank++) {
          const [rows, columns] = shardRanges(mesh, rank, whole, states);
          for (let row = rows![0]!.start; row < rows![0]!.start + rows![0]!.length; row++) {
            for (let column = columns![0]!.start; column < columns![0]!.start + columns![0]!.length; column++) {
              seen.set(`${row},${column}`, (seen.get(`${row},${column}`) ?? 0) + 1);
            }
          }
        }
        expect(seen.size).toBe(whole[0]! * whole[1]!);
        expect([...seen.values()].every((times) => times === 1)).toBe(true);
      }),
    );
  });

  const positions = (mesh: Mesh, rank: number, tokens: number, states: AxisStates): number[] => {
    const segments = { dimension: 1, zigzag: 'sequence' } as const;
    return shardRanges(mesh, rank, [1, tokens], states, segments)[1]!.flatMap(({ start, length }) =>
      Array.from({ length }, (_, index) => start + index),
    );
  };

  test('of dealt tokens are all tokens once, and as many of them come before those of any rank as of any other', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 6 }), fc.integer({ min: 1, max: 4 }), (parts, each) => {
        const mesh = createMesh({ sequence: parts });
        const byRank = Array.from({ length: parts }, (_, rank) =>
          positions(mesh, rank, 2 * parts * each, { sequence: 1 }),
        );
        expect(byRank.flat().toSorted((a, b) => a - b)).toEqual([...byRank.flat().keys()]);
        const attended = byRank.map((own) => own.reduce((sum, position) => sum + position + 1, 0));
        expect(new Set(attended).size).toBe(1);
      }),
    );
  });

  test('of tokens that are dealt and then sharded are a part of what was dealt, in its order', () => {
    const mesh = createMesh({ sequence: 2, model: 4 });
    const dealt = positions(createMesh({ sequence: 2 }), 1, 16, { sequence: 1 });
    const sharded = [4, 5, 6, 7].map((rank) => positions(mesh, rank, 16, { sequence: 1, model: 1 }));
    expect(dealt).toEqual([4, 5, 6, 7, 8, 9, 10, 11]);
    expect(sharded.flat()).toEqual(dealt);
  });

  test('of a fused projection take a share of every part', () => {
    const mesh = createMesh({ model: 2 });
    const segments = { dimension: 1, sizes: [4, 4, 8] };
    expect(shardRanges(mesh, 1, [3, 16], { model: 1 }, segments)[1]).toEqual([
      { start: 2, length: 2 },
      { start: 6, length: 2 },
      { start: 12, length: 4 },
    ]);
  });
});

test('the dual of replicated is partial, of partial replicated, and sharded stays', () => {
  const mesh = createMesh({ data: 2, model: 2 });
  expect(dualStates(mesh, { data: 0 })).toEqual({ data: 0, model: 'partial' });
  expect(dualStates(mesh, { data: 'partial', model: 1 })).toEqual({ model: 1 });
});
