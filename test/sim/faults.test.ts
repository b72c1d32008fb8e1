/** Slow and dead links, slow chips: what is dead is gone round, and what is wrong is said. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Machine } from '../../sim/index.js';
import { createMachine, execute, shortLinkName, simulate, withFaults } from '../../sim/index.js';
import { createMesh } from '../../src/mesh/index.js';
import { fuse } from '../../src/program/index.js';
import { bytesPerSecond } from '../../src/units.js';
import { RANDOM_MESH, randomProgram } from '../helpers/random-program.js';
import {
  STACK,
  collectiveSeconds,
  inputOf,
  layeredProgram,
  machineOf,
  namesOf,
  switchOf,
  torusOf,
  withTopology,
} from './helpers.js';

const dead = (machine: Machine, ...links: string[]): Machine =>
  withFaults(machine, { links: links.map((link) => ({ link, left: 'dead' })), chips: [] });
const slow = (machine: Machine, link: string, left: number): Machine =>
  withFaults(machine, { links: [{ link, left }], chips: [] });

const square = machineOf(torusOf(2), createMesh({ data: 4, model: 4 }), [4, 4]);
const ring = machineOf(torusOf(1), createMesh({ model: 8 }));

describe('a dead link', () => {
  it('is gone round by a shortest way, and only by what went over it', () => {
    const faulty = dead(square, '0+x');
    expect(namesOf(faulty, 0, 4)).toHaveLength(3);
    expect(namesOf(faulty, 4, 0)).toEqual(['chip 4 -x']);
    expect(namesOf(faulty, 1, 5)).toEqual(['chip 1 +x']);
    expect(namesOf(dead(ring, '0+x'), 0, 1)).toHaveLength(7);
  });

  it('never carries anything, whatever is dead, and ways stay ways', () => {
    const names = square.fabric.links.map(({ name }) => shortLinkName(name));
    fc.assert(
      fc.property(fc.uniqueArray(fc.constantFrom(...names), { maxLength: 5 }), (links) => {
        const faulty = dead(square, ...links);
        for (let from = 0; from < 16; from++) {
          for (let to = 0; to < 16; to++) {
            let way: string[];
            try {
              way = namesOf(faulty, from, to);
            } catch (error) {
              // All four links of a chip.
              expect(String(error)).toContain('since these links are dead');
              continue;
            }
            expect(way.map(shortLinkName).filter((name) => links.includes(name))).toEqual([]);
            expect(way.length).toBeGreaterThanOrEqual(square.fabric.route(from, to).length);
          }
        }
      }),
      { numRuns: 40 },
    );
  });

  it('makes collectives slower, since its bytes share other links, and the same ones each time', () => {
    const time = (machine: Machine) => collectiveSeconds(machine, 'all_gather', 'model', 1e6);
    expect(time(dead(square, '0+y'))).toBeGreaterThan(time(square));
    expect(time(dead(square, '0+y'))).toBe(time(dead(square, '0+y')));
    expect(time(dead(square, '0+x'))).toBe(time(square));
  });

  it('may be named in full, or by the chips it joins', () => {
    for (const name of ['chip 0 +x', '0+x', '0-4']) {
      expect(namesOf(dead(square, name), 0, 4)).toEqual(namesOf(dead(square, '0+x'), 0, 4));
    }
  });

  it('that cuts a chip off says which chips, which links and what to do', () => {
    const node = dead(machineOf(switchOf(8), createMesh({ model: 8 })), '3-to-node');
    expect(() => node.fabric.route(3, 4)).toThrow(
      /JOB_INVALID at fault: expected a way from chip 3 to chip 4, .* got none, since these links are dead: chip 3 to node; leave one of them alive/,
    );
    expect(namesOf(node, 4, 3)).toEqual(['chip 4 to node', 'chip 3 from node']);
  });
});

describe('a slow link', () => {
  it('takes as much longer as it is slower, where a ring goes over it', () => {
    const time = (machine: Machine) => collectiveSeconds(machine, 'all_gather', 'model', 1e9);
    expect(time(slow(ring, '2+x', 0.25)) / time(ring)).toBeCloseTo(4, 2);
    expect(time(slow(ring, '2+x', 1))).toBe(time(ring));
  });

  it('never makes a collective faster', () => {
    fc.assert(
      fc.property(fc.nat(63), fc.double({ min: 0.01, max: 1, noNaN: true }), (link, left) => {
        const name = square.fabric.links[link]!.name;
        const time = (machine: Machine) => collectiveSeconds(machine, 'all_reduce', 'data', 1e6);
        expect(time(slow(square, name, left))).toBeGreaterThanOrEqual(time(square));
      }),
    );
  });
});

describe('faults that are refused', () => {
  const chip = (number: number, slowdown: number | 'dead') => () =>
    withFaults(square, { links: [], chips: [{ chip: number, slowdown }] });

  it('links that are not there, with the nearest', () => {
    expect(() => dead(square, '0+z')).toThrow(
      /JOB_INVALID at fault: expected a link .* got 0\+z; did you mean 0\+[xy]\?/,
    );
    expect(() => dead(square, '0-5')).toThrow(/expected a link of the machine/);
    expect(() => slow(square, '0+x', 0)).toThrow(/above 0 and at most 1, or dead, got 0 of link 0\+x/);
    expect(() => slow(square, '0+x', 2)).toThrow(/above 0 and at most 1/);
  });

  it('chips that are not there, or dead', () => {
    expect(chip(16, 2)).toThrow('expected a chip of 0 to 15, which the machine has, got 16');
    expect(chip(3, 'dead')).toThrow(
      /expected all 16 chips alive, since each has a rank of the mesh, got chip 3 dead; leave it out/,
    );
    expect(chip(3, 0.5)).toThrow(/expected at least 1, how many times as long chip 3 takes, got 0.5/);
  });
});

it('a slow chip is known by its factor', () => {
  const faulty = withFaults(square, {
    links: [],
    chips: [
      { chip: 3, slowdown: 1.3 },
      { chip: 4, slowdown: 1 },
    ],
  });
  expect([...faulty.chipSlowdown]).toEqual([[3, 1.3]]);
  expect(square.chipSlowdown.size).toBe(0);
});

it('a step over a faulty link is what every chip and link take, though nobody asked for them', () => {
  // Memory that no transfer takes a part of: beside a slower one, which takes less of it at once, kernels are faster.
  const hardware = withTopology(torusOf(2));
  const wide = bytesPerSecond(1e18);
  const chip = { ...hardware.chip, memoryBandwidth: { peak: wide, achievable: wide } };
  const machine = createMachine({ hardware: { ...hardware, chip }, mesh: RANDOM_MESH, slice: [4, 2] });
  const names = machine.fabric.links.map(({ name }) => shortLinkName(name));
  let slower = 0;
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 2 ** 31 - 1 }),
      fc.constantFrom(...names),
      fc.constantFrom<number | 'dead'>(0.1, 0.5, 0.9, 'dead'),
      (seed, link, left) => {
        const program = fuse(randomProgram(seed));
        const faulty = withFaults(machine, { links: [{ link, left }], chips: [] });
        const step = execute(program, faulty, STACK);
        expect(step.duration).toBe(execute(program, faulty, STACK, { unfold: {} }).duration);
        const healthy = execute(program, machine, STACK).duration;
        expect(step.duration).toBeGreaterThanOrEqual(healthy);
        if (step.duration > healthy) {
          slower++;
          expect(step.unfolded).toBeDefined();
        }
      },
    ),
    { numRuns: 100 },
  );
  expect(slower).toBeGreaterThan(10);
});

it('a step of more events than a faulty link is worth is an estimate, and says so', () => {
  const { machine, ...input } = inputOf();
  const faulty = dead(machine, '0+z');
  const stepOf = (layers: number) =>
    simulate({ ...input, machine: faulty, program: layeredProgram(machine.mesh, layers) });
  expect(stepOf(3)).toMatchObject({ folded: false, unfolded: { lastChip: expect.any(Number) as number } });
  expect(stepOf(100_000)).toMatchObject({ folded: false, unfolded: null });
});
