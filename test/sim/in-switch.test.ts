/** All-reduces over nodes whose switches, or the network's, add up. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chipTraffic, createMachine, createNetwork, execute, timeAlone } from '../../sim/index.js';
import { toSeconds } from '../../sim/engine/index.js';
import type { Machine, NetworkOptions } from '../../sim/index.js';
import { loadHardware, loadStack } from '../../src/hardware/index.js';
import type { NodeTopology } from '../../src/hardware/index.js';
import { createMesh } from '../../src/mesh/index.js';
import { bytes } from '../../src/units.js';
import { LINK, layeredProgram, machineOf, switchOf } from './helpers.js';

const CARD = LINK / 10;
const topologyOf = (perNode: number, node: boolean, network: boolean): NodeTopology => {
  const plain = switchOf(perNode, CARD);
  return { ...plain, reducesInSwitch: node, network: { ...plain.network!, reducesInSwitch: network } };
};
const allReduce = (machine: Machine, heldBytes: number, options: NetworkOptions = {}) =>
  createNetwork(machine, options).collective({ name: 'all_reduce', axis: 'model', heldBytes: bytes(heldBytes) });
const secondsOf = (machine: Machine, heldBytes: number, options: NetworkOptions = {}): number =>
  toSeconds(timeAlone(allReduce(machine, heldBytes, options), createNetwork(machine).sharing));
const inSwitch: NetworkOptions = { algorithms: { all_reduce: 'in-switch' } };

describe.each([
  [8, 2],
  [8, 6],
  [4, 5],
])('nodes of %i, %i of them', (perNode, nodes) => {
  const mesh = createMesh({ model: perNode * nodes });
  const machineWith = (node: boolean, network: boolean) => machineOf(topologyOf(perNode, node, network), mesh);
  // What goes over a card: all of its rail's part once each way, or as a ring's; it is the bottleneck.
  const large = 1e12;
  const rail = large / perNode / CARD;

  it.each([
    [true, true],
    [false, true],
  ])(
    'are as fast as the slower of cards and ports where the network adds up (nodes: %s, network: %s)',
    (node, network) => {
      // Chips that add up themselves send and get all parts but one, twice.
      const ports = ((node ? 1 : (2 * (perNode - 1)) / perNode) * large) / LINK;
      const found = secondsOf(machineWith(node, network), large, inSwitch);
      expect(found).toBeGreaterThan(Math.max(rail, ports));
      // The first chunk's scatter and the last one's gather are all that is not beside the others.
      expect(found).toBeLessThan(Math.max(rail, ports) * 1.1);
    },
  );

  it('are as fast as a ring over cards where only nodes add up', () => {
    const ring = (2 * rail * (nodes - 1)) / nodes;
    const found = secondsOf(machineWith(true, false), large, inSwitch);
    expect(found).toBeGreaterThan(ring);
    expect(found).toBeLessThan(ring * 1.1);
  });

  it('reduce as fast as without their switches or faster, whatever the size', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 11 }), fc.boolean(), fc.boolean(), (exponent, node, network) => {
        const held = 10 ** exponent;
        expect(secondsOf(machineWith(node, network), held)).toBeLessThanOrEqual(
          secondsOf(machineWith(false, false), held),
        );
      }),
      { numRuns: 10 },
    );
  });

  it('move between chips and switches what is not added up elsewhere', () => {
    // Up: the parts of the others and the own sum; down into memory: the own part's sum, and all the results.
    const { sentBytes, memoryBytes } = chipTraffic(allReduce(machineWith(true, true), 1e9, inSwitch));
    const [share, most] = [1 / perNode, 1 - 1 / perNode];
    expect(sentBytes / 1e9).toBeCloseTo(most + share + share, 9);
    expect(memoryBytes / 1e9).toBeCloseTo(2 * (most + share + share), 9);
  });
});

it.each(['pytorch-fsdp', 'megatron-lm', 'megatron-lm-flash'])(
  '%s uses a network that adds up: a step is faster',
  (stack) => {
    const hardware = loadHardware('h100-80gb-sxm');
    const topology = hardware.topology as NodeTopology;
    const mesh = createMesh({ model: 128 });
    const step = (reducesInSwitch: boolean) => {
      const network = { ...topology.network!, reducesInSwitch };
      const machine = createMachine({ hardware: { ...hardware, topology: { ...topology, network } }, mesh });
      return execute(layeredProgram(mesh, 3, 4096, 4096), machine, loadStack(stack));
    };
    const [plain, summed] = [step(false), step(true)];
    expect(summed.duration).toBeLessThan(0.9 * plain.duration);
    expect(summed.plan.collectives[0]!.schedule.algorithm).toBe('in-switch');
  },
);

it('one chip stands for all of them exactly, and every chip and link end with it', () => {
  const mesh = createMesh({ model: 16 });
  const machine = machineOf(topologyOf(4, true, true), mesh);
  const options = { collectives: inSwitch };
  const program = layeredProgram(mesh);
  const one = execute(program, machine, loadStack('megatron-lm'), options);
  expect(one.folded).toBe(true);
  expect(execute(program, machine, loadStack('megatron-lm'), { ...options, unfold: {} }).duration).toBe(one.duration);
});
