/** What collectives send out of a chip and move in its memory, by algorithm. */
import { describe, expect, it } from 'vitest';
import { chipTraffic, createNetwork } from '../../sim/index.js';
import type { AlgorithmName, ChipTraffic, Machine } from '../../sim/index.js';
import { createMesh } from '../../src/mesh/index.js';
import { bytes } from '../../src/units.js';
import { machineOf, switchOf, torusOf } from './helpers.js';

const S = 2 ** 20;
type Collective = 'all_gather' | 'reduce_scatter' | 'all_reduce' | 'all_to_all';

function traffic(machine: Machine, name: Collective, algorithm: AlgorithmName, heldBytes: number): ChipTraffic {
  const network = createNetwork(machine, { algorithms: { [name]: algorithm } });
  return chipTraffic(network.collective({ name, axis: 'model', heldBytes: bytes(heldBytes) }));
}

describe.each([2, 4, 8])('on a switch of %i that adds up', (n) => {
  const machine = machineOf({ ...switchOf(n), reducesInSwitch: true }, createMesh({ model: n }));

  it.each(['ring', 'halving-doubling', 'tree', 'direct'] as const)('%s: an all-reduce is two thirds adding', (how) => {
    const { sentBytes, memoryBytes } = traffic(machine, 'all_reduce', how, S);
    // The lower bound without help of the switch (Patarasuk and Yuan 2009, §3), which trees reach on the average.
    expect(sentBytes).toBeCloseTo((2 * (n - 1) * S) / n, 6);
    expect(memoryBytes).toBeCloseTo(3 * sentBytes, 6);
  });

  it.each(['ring', 'halving-doubling', 'direct'] as const)(
    '%s: gathers copy, and scatters add what they get',
    (how) => {
      expect(traffic(machine, 'all_gather', how, S)).toEqual({ sentBytes: (n - 1) * S, memoryBytes: 2 * (n - 1) * S });
      expect(traffic(machine, 'reduce_scatter', how, n * S)).toEqual({
        sentBytes: (n - 1) * S,
        memoryBytes: 4 * (n - 1) * S,
      });
    },
  );

  it('in-switch: everything is sent once, and what arrives is copied or summed already', () => {
    for (const [name, held, sent, moved] of [
      ['all_reduce', S, S, 2 * S],
      ['all_gather', S, S, n * S],
      ['reduce_scatter', n * S, (n - 1) * S, n * S],
    ] as const) {
      const { sentBytes, memoryBytes } = traffic(machine, name, 'in-switch', held);
      expect(sentBytes).toBeCloseTo(sent, 6);
      expect(memoryBytes).toBeCloseTo(moved, 6);
    }
  });
});

it('on a torus what routers pass on is not sent by their chips, what rings pass on is', () => {
  const machine = machineOf(torusOf(1), createMesh({ model: 8 }));
  expect(traffic(machine, 'all_to_all', 'direct', 8 * S).sentBytes).toBe(7 * S);
  // Chunks for all that are farther along: 8 · 7 / 2.
  expect(traffic(machine, 'all_to_all', 'ring', 8 * S).sentBytes).toBe(28 * S);
});
