/** Collectives over several dimensions of a torus whose chips do not get all their links to work at once. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TorusTopology } from '../../src/hardware/index.js';
import { createMesh } from '../../src/mesh/index.js';
import { bytes } from '../../src/units.js';
import { createNetwork, execute, timeAlone } from '../../sim/index.js';
import { LINK, STACK, layeredProgram, machineOf, torusOf } from './helpers.js';

const shares = fc.double({ min: 0.3, max: 1, noNaN: true });
const sharing = (dimensions: number, multiAxisShare: number): TorusTopology => ({
  ...torusOf(dimensions),
  multiAxisShare,
});

const secondsOf = (
  topology: TorusTopology,
  slice: readonly number[],
  algorithm: 'multi-axis' | 'bidirectional-ring',
) => {
  const chips = slice.reduce((product, length) => product * length, 1);
  const machine = machineOf(topology, createMesh({ data: chips }), slice);
  const network = createNetwork(machine, { algorithms: { all_reduce: algorithm } });
  return (
    timeAlone(network.collective({ name: 'all_reduce', axis: 'data', heldBytes: bytes(1e9) }), network.sharing) / 1e10
  );
};

describe('a share of the links for several dimensions at once', () => {
  it('makes an all-reduce over them as much longer, and one that takes them in turn no longer', () => {
    fc.assert(
      fc.property(shares, fc.constantFrom([4, 4], [4, 8], [4, 4, 4]), (share, slice) => {
        const [all, some] = [sharing(slice.length, 1), sharing(slice.length, share)];
        // Of 1 GB the latency is nothing, but not zero.
        expect(secondsOf(some, slice, 'multi-axis') * share).toBeCloseTo(secondsOf(all, slice, 'multi-axis'), 3);
        expect(secondsOf(some, slice, 'bidirectional-ring')).toBe(secondsOf(all, slice, 'bidirectional-ring'));
      }),
      { numRuns: 10 },
    );
  });

  it('is of the bandwidth of all links: 1 GB on 16×16 at 65.5 % as measured on TPU v6e', () => {
    const chips = 256;
    const took = secondsOf(sharing(2, 0.655), [16, 16], 'multi-axis');
    // As the benchmark counts it: 2 (n − 1)/n of the bytes over the time.
    const achieved = (2 * 1e9 * (1 - 1 / chips)) / took;
    expect(achieved / (4 * LINK)).toBeCloseTo(0.655, 2);
  });

  it('changes nothing of what goes over the links, and is the same on every chip', () => {
    fc.assert(
      fc.property(shares, fc.integer({ min: 1, max: 3 }), (share, layers) => {
        const mesh = createMesh({ data: 16, model: 4 });
        const program = layeredProgram(mesh, layers, 512);
        const machine = machineOf(sharing(3, share), mesh, [4, 4, 4]);
        const collectives = { preferred: 'multi-axis' } as const;
        const one = execute(program, machine, STACK, { collectives });
        const all = execute(program, machine, STACK, { collectives, unfold: {} });
        expect(one.folded).toBe(true);
        expect(all.duration).toBe(one.duration);
        expect(all.exposure).toEqual(one.exposure);
        const whole = execute(program, machineOf(torusOf(3), mesh, [4, 4, 4]), STACK, { collectives });
        expect(one.linkBytes).toEqual(whole.linkBytes);
        expect(one.duration).toBeGreaterThanOrEqual(whole.duration);
      }),
      { numRuns: 12 },
    );
  });
});
