import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createMesh } from '../../src/mesh/index.js';
import { bytes } from '../../src/units.js';
import { groupCount, peerCount, reservedMemory } from '../../sim/index.js';

const size = fc.integer({ min: 1, max: 4 });
const sizes = fc.record({ pipe: size, data: size, model: size });
const stack = {
  reservedMemoryFraction: 0.01,
  reservedMemory: { runtime: bytes(1000), perGroup: bytes(100), perPeer: bytes(10), fragmentation: 0.5 },
};
const chip = { memoryCapacity: bytes(1e6) };
const use = (activation: number) => ({ byRole: { activation: bytes(activation) } });

describe('memory that is not a program’s', () => {
  it('is the runtime, and buffers for each group and each stage beside', () => {
    const of = (mesh: Parameters<typeof createMesh>[0]): number =>
      reservedMemory(chip, stack, createMesh(mesh), use(0)) - 0.01 * chip.memoryCapacity;
    expect(of({})).toBe(1000);
    // Its own axis, and all.
    expect(of({ data: 8 })).toBe(1200);
    expect(of({ data: 8, model: 8 })).toBe(1300);
    expect(of({ pipe: 2, data: 8, model: 8 })).toBe(1410);
    expect(of({ pipe: 4, data: 8, model: 8 })).toBe(1420);
  });

  it('grows with the axes that a mesh has, not with how long they are but for a second stage to exchange with', () => {
    fc.assert(
      fc.property(sizes, sizes, (a, b) => {
        const [one, other] = [createMesh(a), createMesh(b)];
        const names = ({ axes }: typeof one) => axes.flatMap(({ name, size: length }) => (length > 1 ? [name] : []));
        if (names(one).join() === names(other).join()) expect(groupCount(one)).toBe(groupCount(other));
        expect(peerCount(one)).toBe(Math.min(2, a.pipe - 1));
      }),
    );
  });

  it('has the share of activations that the allocator cannot use', () => {
    const mesh = createMesh({ data: 2 });
    expect(reservedMemory(chip, stack, mesh, use(500)) - reservedMemory(chip, stack, mesh, use(100))).toBeCloseTo(200);
  });
});
