import { describe, expect, it } from 'vitest';
import { createMachine, createNetwork } from '../../sim/index.js';
import type { Machine } from '../../sim/index.js';
import { loadHardware } from '../../src/hardware/index.js';
import { createMesh } from '../../src/mesh/index.js';
import { bytes } from '../../src/units.js';
import { machineOf, switchOf, torusOf } from './helpers.js';

const tpu = (data: number, model: number, slice?: readonly number[]): Machine =>
  createMachine({
    hardware: loadHardware('tpu-v4'),
    mesh: createMesh({ data, model }),
    ...(slice === undefined ? {} : { slice }),
  });
const labels = (machine: Machine, axis: 'data' | 'model'): string[] =>
  machine.stages.get(axis)!.map(({ label }) => label);

describe('placement on a torus', () => {
  it('puts the model axis on a wrapped dimension of its own', () => {
    const machine = tpu(64, 16);
    expect(machine.slice).toEqual([8, 8, 16]);
    expect(labels(machine, 'model')).toEqual(['z (16, wrapped)']);
    expect(labels(machine, 'data')).toEqual(['x (8, wrapped)', 'y (8, wrapped)']);
  });

  it('puts a small model axis on a part of a dimension, its chips next to each other', () => {
    const machine = tpu(32, 2);
    expect(machine.slice).toEqual([4, 4, 4]);
    const [stage] = machine.stages.get('model')!;
    expect(stage!.bidirectional).toBe(false);
    stage!.groups.forEach(([a, b]) => expect(machine.fabric.route(a!, b!)).toHaveLength(1));
  });

  it('wraps only slices made of whole cubes', () => {
    expect(labels(tpu(1, 8, [2, 2, 2]), 'model').join()).not.toContain('wrapped');
    expect(labels(tpu(1, 32, [2, 4, 4]), 'model').join()).not.toContain('wrapped');
    expect(labels(tpu(1, 128, [4, 4, 8]), 'model')).toHaveLength(3);
    expect(labels(tpu(1, 128, [4, 4, 8]), 'model').every((label) => label.includes('wrapped'))).toBe(true);
  });

  it.each([
    [2, 4],
    [16, 8],
    [4, 48],
    [256, 16],
  ])('gives every rank of data=%i, model=%i a chip of its own, in as many groups as there are', (data, model) => {
    const machine = tpu(data, model);
    const chips = new Set(Array.from({ length: data * model }, (_, rank) => machine.chipOf(rank)));
    expect(chips.size).toBe(data * model);
    for (const stages of machine.stages.values())
      for (const { groups, length } of stages) {
        expect(groups.flat().toSorted((a, b) => a - b)).toEqual(
          Array.from({ length: data * model }, (_, chip) => chip),
        );
        expect(groups.every((group) => group.length === length)).toBe(true);
      }
  });

  it('takes the shorter way round, one dimension after the other', () => {
    const { fabric } = machineOf(torusOf(2), createMesh({ model: 64 }), [8, 8]);
    const names = (from: number, to: number): string[] =>
      fabric.route(from, to).map((link) => fabric.links[link]!.name);
    expect(names(0, 9)).toEqual(['chip 0 +x', 'chip 8 +y']);
    expect(names(0, 63)).toEqual(['chip 0 -x', 'chip 56 -y']);
    expect(fabric.route(5, 5)).toEqual([]);
  });

  it('a line has no links at its ends', () => {
    expect(machineOf(torusOf(1, 64), createMesh({ model: 4 })).fabric.links).toHaveLength(6);
    expect(machineOf(torusOf(1), createMesh({ model: 4 })).fabric.links).toHaveLength(8);
  });
});

describe('errors', () => {
  it('says when a slice does not multiply to the chips', () => {
    expect(() => tpu(64, 16, [8, 8, 8])).toThrow(
      'MESH_DOES_NOT_MULTIPLY at slice: expected lengths that multiply to the 1024 chips of the mesh, got 8×8×8',
    );
  });

  it('says when a slice is larger than the largest', () => {
    expect(() => tpu(64, 32, [4, 16, 32])).toThrow(
      'MESH_DOES_NOT_MULTIPLY at slice: expected at most 16×16×16, got 4×16×32',
    );
    expect(() => tpu(3072, 16)).toThrow(
      /expected a number of chips that up to 8 slices of at most 16×16×16 can have, got 49152/,
    );
  });

  it('says when a slice has the wrong number of dimensions, or there is no torus', () => {
    expect(() => tpu(4, 4, [4, 4])).toThrow(/expected 3 whole lengths/);
    expect(() => machineOf(switchOf(8), createMesh({ model: 8 }), [8])).toThrow(
      /JOB_INVALID at slice: expected no slice/,
    );
  });
});

describe('switches and shared memory', () => {
  it('cuts an axis where nodes end', () => {
    const machine = machineOf(switchOf(8), createMesh({ data: 8, model: 4 }));
    expect(labels(machine, 'model')).toEqual(['4 in a node']);
    expect(labels(machine, 'data')).toEqual(['4 nodes', '2 in a node']);
    expect(machine.stages.get('data')![0]!.groups[0]).toEqual([0, 8, 16, 24]);
    expect(machine.stages.get('data')![1]!.groups[0]).toEqual([0, 4]);
  });

  it('keeps in its node an axis that does not divide it', () => {
    const sharp = { ...switchOf(8), reducesInSwitch: true };
    const six = machineOf(sharp, createMesh({ data: 3, model: 2 }));
    expect([labels(six, 'data'), labels(six, 'model')]).toEqual([['3 in a node'], ['2 in a node']]);
    const schedule = createNetwork(six).collective({ name: 'all_reduce', axis: 'data', heldBytes: bytes(1e6) });
    expect(schedule.algorithm).toBe('in-switch');
    // The third group of three has one of its chips in the second node.
    expect(labels(machineOf(sharp, createMesh({ data: 5, model: 3 })), 'model')).toEqual(['3, across nodes unevenly']);
  });

  it('keeps an axis whole that fills nodes unevenly', () => {
    expect(labels(machineOf(switchOf(8), createMesh({ model: 12 })), 'model')).toEqual(['12, across nodes unevenly']);
  });

  it('computes slower when all cores are busy, and when there are more ranks than cores', () => {
    const local = loadHardware('local');
    const slowdown = (data: number): number =>
      createMachine({ hardware: local, mesh: createMesh({ data }) }).computeSlowdown;
    expect(slowdown(1)).toBe(1);
    expect(slowdown(2)).toBeCloseTo(1 / 0.85, 12);
    expect(slowdown(4)).toBeCloseTo(2 / 0.85, 12);
  });
});
