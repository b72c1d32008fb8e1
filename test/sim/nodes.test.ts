/** Nodes of chips, their network cards and the fat tree above; a host whose chips share its memory. */
import { describe, expect, it } from 'vitest';
import type { CardNetwork, NodeTopology } from '../../src/hardware/index.js';
import { loadHardware } from '../../src/hardware/index.js';
import { createMesh } from '../../src/mesh/index.js';
import { bytesPerSecond, seconds } from '../../src/units.js';
import { omit } from '../../src/omit.js';
import { createMachine } from '../../sim/index.js';
import { HOP, LINK, collectiveSeconds, machineOf, namesOf, switchOf } from './helpers.js';

const rate = (value: number) => ({ peak: bytesPerSecond(value), achievable: bytesPerSecond(value) });

/** Nodes of 8 with cards of a tenth of a chip's port in its node. */
function nodes(changes: Partial<CardNetwork> = {}, of: Partial<NodeTopology> = {}): NodeTopology {
  const base = switchOf(8);
  return { ...base, network: { ...base.network!, ...changes }, ...of };
}
const tree = (nodesPerLeaf: number, rails: boolean, oversubscription = 1) => ({
  fatTree: { nodesPerLeaf, rails, oversubscription },
});
/** A gather over chips of the same number of as many nodes, all groups at once. */
const across = (topology: NodeTopology, data: number, bytes = 1e8): number =>
  collectiveSeconds(machineOf(topology, createMesh({ data, model: 8 })), 'all_gather', 'data', bytes);

describe('every way', () => {
  it.each([
    ['through switches', nodes()],
    ['with shared cards', nodes({ cardsPerNode: 2 })],
    ['with several cards a chip', nodes({ cardsPerNode: 16 })],
    ['over rails', nodes(tree(2, true))],
    ['over leaves of whole nodes', nodes(tree(2, false))],
    ['in fully connected nodes', nodes(tree(2, true), { kind: 'fully-connected' })],
  ])('%s leads from chip to chip, also of a node that is not full', (_, topology) => {
    const machine = machineOf(topology, createMesh({ data: 44 }));
    for (let from = 0; from < 44; from++) {
      for (let to = 0; to < 44; to++) expect(namesOf(machine, from, to).length > 0).toBe(from !== to);
    }
    const ends = machine.fabric.links.flatMap(({ from, to }) => [from, to]);
    expect(Math.max(...ends)).toBe(machine.fabric.vertices - 1);
  });
});

describe('network cards', () => {
  it('are shared where there are fewer than chips, and used together where there are more', () => {
    const [one, two, half] = [8, 16, 4].map((cardsPerNode) => across(nodes({ cardsPerNode }), 2));
    const gather = (bytesPerSecondPerChip: number) => 10 * HOP + 1e8 / bytesPerSecondPerChip;
    expect(one).toBeCloseTo(gather(LINK / 10), 9);
    expect(two).toBeCloseTo(gather(LINK / 5), 9);
    expect(half).toBeCloseTo(gather(LINK / 20), 9);
  });

  it('stand in the profile, and editing it changes the step', () => {
    const cards = (count: number) => across(nodes({ cardsPerNode: count, cardPerDirection: rate(LINK / 10) }), 4);
    expect(cards(1)).toBeGreaterThan(7.5 * cards(8));
  });

  it('are needed between nodes', () => {
    const alone = omit(switchOf(8), 'network');
    expect(machineOf(alone, createMesh({ model: 8 })).stages.get('model')![0]!.kind).toBe('node');
    expect(() => machineOf(alone, createMesh({ model: 16 }))).toThrow(
      /MESH_DOES_NOT_MULTIPLY at mesh: expected at most the 8 chips of a node, since the profile states no network .* got 16 chips/,
    );
  });
});

describe('a fat tree', () => {
  it('keeps cards of one number on a leaf of their own, and leads others over the spines', () => {
    const rails = machineOf(nodes(tree(2, true)), createMesh({ data: 4, model: 8 }));
    expect(namesOf(rails, 3, 11)).toEqual(['node 0 card 3 out', 'node 1 card 3 in']);
    expect(namesOf(rails, 3, 12)).toEqual(['node 0 card 3 out', 'leaf 3 up', 'leaf 4 down', 'node 1 card 4 in']);
    expect(namesOf(rails, 3, 19)).toEqual(['node 0 card 3 out', 'leaf 3 up', 'leaf 11 down', 'node 2 card 3 in']);
    const plain = machineOf(nodes(tree(2, false)), createMesh({ data: 4, model: 8 }));
    expect(namesOf(plain, 3, 12)).toEqual(['node 0 card 3 out', 'node 1 card 4 in']);
    expect(namesOf(plain, 3, 19)).toEqual(['node 0 card 3 out', 'leaf 0 up', 'leaf 1 down', 'node 2 card 3 in']);
  });

  it('without oversubscription never is the bottleneck', () => {
    expect(across(nodes(tree(2, true)), 8)).toBeCloseTo(across(nodes(), 8), 12);
    expect(across(nodes(tree(1, false)), 8)).toBeCloseTo(across(nodes(), 8), 12);
  });

  it.each([2, 4])('oversubscribed %i times slows what leaves its leaf as much, and nothing on it', (times) => {
    // With a node a leaf, every transfer of a ring leaves it.
    const bandwidth = (topology: NodeTopology) => across(topology, 4, 1e9);
    expect(bandwidth(nodes(tree(1, true, times))) / bandwidth(nodes(tree(1, true)))).toBeCloseTo(times, 2);
    expect(across(nodes(tree(4, true, times)), 4)).toBe(across(nodes(tree(4, true)), 4));
  });
});

describe('inside a node', () => {
  it('fully connected chips divide what they can send over a link to each other', () => {
    const connected = nodes({}, { kind: 'fully-connected' });
    const machine = machineOf(connected, createMesh({ model: 8 }));
    expect(machine.fabric.links).toHaveLength(8 * 7);
    expect(machine.fabric.links.every(({ bytesPerSecond: each }) => each === LINK / 7)).toBe(true);
    expect(namesOf(machine, 2, 5)).toEqual(['chip 2 to 5']);
    // A permutation uses one link of seven; an exchange with all uses every one, as through a switch.
    const ring = (topology: NodeTopology) =>
      collectiveSeconds(machineOf(topology, createMesh({ model: 2 })), 'all_gather', 'model', 1e9);
    expect(ring(connected) / ring(nodes())).toBeCloseTo(7, 2);
  });

  it('switches that add up say so of the stage on them, and only there', () => {
    const reduces = (topology: NodeTopology) =>
      machineOf(topology, createMesh({ data: 32 }))
        .stages.get('data')!
        .map((stage) => stage.reducesInSwitch);
    expect(reduces(nodes())).toEqual([false, false]);
    expect(reduces(nodes({}, { reducesInSwitch: true }))).toEqual([false, true]);
    expect(reduces(nodes({ reducesInSwitch: true }))).toEqual([true, false]);
    const nodesOf = (name: string) =>
      createMachine({ hardware: loadHardware(name), mesh: createMesh({ model: 8 }) }).stages.get('model')![0]!;
    expect(nodesOf('h100-80gb-sxm').reducesInSwitch).toBe(true);
    expect(nodesOf('a100-80gb-sxm').reducesInSwitch).toBe(false);
  });
});

describe('a host whose chips share its memory', () => {
  const local = loadHardware('local');
  const { topology } = local;
  if (topology.kind !== 'shared-memory') throw new Error('this machine shares memory');
  const host = (hostMemory: number, data: number) =>
    createMachine({
      hardware: {
        ...local,
        topology: {
          ...topology,
          cores: 8,
          transferPerChip: rate(1e9),
          messageLatency: seconds(0),
          hostMemory: rate(hostMemory),
        },
      },
      mesh: createMesh({ data }),
    });

  it('copies no faster than the memory reads and writes for all ranks together', () => {
    const time = (hostMemory: number, ranks: number) =>
      collectiveSeconds(host(hostMemory, ranks), 'all_gather', 'data', 1e8);
    expect(time(100e9, 4)).toBeCloseTo((3 * 1e8) / 1e9, 9);
    // Four ranks copy: 4 GB/s, 8 GB/s read and written, through 2 GB/s.
    expect(time(2e9, 4)).toBeCloseTo((3 * 1e8) / 0.25e9, 9);
    expect(time(2e9, 2)).toBeCloseTo(1e8 / 0.5e9, 9);
  });

  it('leaves each of the ranks at work its share of the memory', () => {
    const own = local.chip.memoryBandwidth.achievable;
    expect(host(100 * own, 8).memorySlowdown).toBe(1);
    const four = host(2 * own, 4);
    const busy = 1 - (1 - topology.busyCoreRateFraction) * (3 / 7);
    expect(four.memorySlowdown).toBeCloseTo((4 * busy) / 2, 12);
    expect(four.chip.memoryBandwidth.achievable).toBeCloseTo(own / four.memorySlowdown, 3);
    expect(four.hardware.chip.memoryBandwidth.achievable).toBe(own);
    // More ranks than cores take turns instead.
    expect(host(2 * own, 16).memorySlowdown).toBe(host(2 * own, 8).memorySlowdown);
  });
});
