/** Collectives over all of a twisted torus, against closed forms and the same torus without its twist. */
import { describe, expect, it } from 'vitest';
import { createMachine, createNetwork, execute } from '../../sim/index.js';
import type { Machine } from '../../sim/index.js';
import { latticeLengths } from '../../sim/network/lattice.js';
import { loadHardware } from '../../src/hardware/index.js';
import { createMesh } from '../../src/mesh/index.js';
import { bytes } from '../../src/units.js';
import { LINK, STACK, collectiveSeconds, layeredProgram, torusOf, withTopology } from './helpers.js';

const machineOf = (slice: readonly number[], twist: boolean): Machine => {
  const model = slice.reduce((product, length) => product * length, 1);
  return createMachine({ hardware: withTopology(torusOf(slice.length)), mesh: createMesh({ model }), slice, twist });
};

describe.each([[[3, 6]], [[4, 4, 8]], [[4, 8, 8]], [[8, 8, 16]]])('a twisted torus of %j', (slice) => {
  const [machine, plain] = [machineOf(slice, true), machineOf(slice, false)];
  const lattice = machine.lattice!;
  const n = machine.chips;
  const dimensions = slice.length;
  const orders = Array.from({ length: dimensions }, (_, first) =>
    slice.map((_length, at) => (first + at) % dimensions),
  );

  it('is gone over in the same lengths in whatever order, which multiply to its chips', () => {
    const lengths = orders.map((order) => latticeLengths(lattice, order));
    for (const one of lengths) {
      expect(one).toEqual(lengths[0]);
      expect(one.reduce((product, length) => product * length, 1)).toBe(n);
    }
  });

  it('gathers with all links at work all the time', () => {
    const chunk = 1e9;
    const least = ((n - 1) * chunk) / (2 * dimensions * LINK);
    const found = collectiveSeconds(machine, 'all_gather', 'model', chunk);
    expect(found).toBeGreaterThanOrEqual(least);
    expect(found).toBeLessThan(least * 1.01);
    expect(found).toBeLessThan(collectiveSeconds(plain, 'all_gather', 'model', chunk));
  });

  it('exchanges nearly as fast as its links carry what goes the shortest ways', () => {
    const held = 1e12;
    let hops = 0;
    for (let to = 1; to < n; to++) hops += lattice.waysTo(to)[0]!.reduce((sum, one) => sum + Math.abs(one), 0);
    const least = (hops * (held / n)) / (2 * dimensions * LINK);
    const found = collectiveSeconds(machine, 'all_to_all', 'model', held);
    expect(found).toBeGreaterThanOrEqual(least * (1 - 1e-9));
    expect(found).toBeLessThan(least * 1.05);
    expect(found).toBeLessThan(collectiveSeconds(plain, 'all_to_all', 'model', held));
  });

  it.each([1, 1e3, 1e6])('is no slower than without the twist with messages of %i bytes', (held) => {
    for (const name of ['all_to_all', 'all_gather', 'all_reduce'] as const)
      expect(collectiveSeconds(machine, name, 'model', held)).toBeLessThanOrEqual(
        collectiveSeconds(plain, name, 'model', held),
      );
  });

  it('has chips that are all alike', () => {
    const network = createNetwork(machine);
    for (const name of ['all_to_all', 'all_gather', 'reduce_scatter', 'all_reduce'] as const) {
      const { channels } = network.collective({ name, axis: 'model', heldBytes: bytes(n * 1e6) });
      for (const { pattern } of channels.flat()) expect(pattern.even).toBe(true);
    }
  });
});

it.each([
  [[4, 4, 8], 1.5],
  [[8, 8, 16], 1.5],
  [[4, 8, 8], 1.25],
])('an all-to-all gains of a twist of %j at least %d', (slice, least) => {
  const time = (twist: boolean) => collectiveSeconds(machineOf(slice, twist), 'all_to_all', 'model', 1e12);
  expect(time(false) / time(true)).toBeGreaterThan(least);
});

it.each(['data', 'model'] as const)('one chip stands for all of a twisted torus exactly: %s', (axis) => {
  const mesh = createMesh({ [axis]: 128 });
  const [twisted, plain] = [true, false].map((twist) =>
    createMachine({ hardware: withTopology(torusOf(3)), mesh, slice: [4, 4, 8], twist }),
  ) as [Machine, Machine];
  const program = layeredProgram(mesh, 2);
  const one = execute(program, twisted, STACK);
  const all = execute(program, twisted, STACK, { unfold: {} });
  expect(one.folded).toBe(true);
  expect(all.duration).toBe(one.duration);
  // Ways that don't meet are as few events as there are steps.
  expect(all.unfolded!.events).toBeLessThan(2 * execute(program, plain, STACK, { unfold: {} }).unfolded!.events);
});

it.each([
  [[4, 4, 8], 1.5],
  [[4, 8, 8], 1.25],
  [[8, 8, 16], 1.5],
])('on TPU v4 slices of %j too an all-to-all gains of a twist at least %d', (slice, least) => {
  const model = slice.reduce((product, length) => product * length, 1);
  const [twisted, plain] = [true, false].map((twist) =>
    collectiveSeconds(
      createMachine({ hardware: loadHardware('tpu-v4'), mesh: createMesh({ model }), slice, twist }),
      'all_to_all',
      'model',
      1e10,
    ),
  ) as [number, number];
  expect(plain / twisted).toBeGreaterThan(least);
});
