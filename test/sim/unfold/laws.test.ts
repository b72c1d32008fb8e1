/** Laws of unfolded steps of random programs, with slow chips and jitter: communication, bytes, and faster machines. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Execution, Jitter, Machine } from '../../../sim/index.js';
import { toSeconds } from '../../../sim/engine/index.js';
import { execute } from '../../../sim/index.js';
import { createMesh } from '../../../src/mesh/index.js';
import type { Op } from '../../../src/program/index.js';
import { fuse } from '../../../src/program/index.js';
import { bytesPerSecond, flopsPerSecond } from '../../../src/units.js';
import { RANDOM_MESH, mapOps, randomProgram } from '../../helpers/random-program.js';
import { STACK, layeredProgram, machineOf, switchOf, torusOf } from '../helpers.js';

const torus = machineOf(torusOf(2), RANDOM_MESH, [4, 2]);
/** Both axes go through the same ports. */
const node = machineOf(switchOf(8), RANDOM_MESH);
const seeds = fc.integer({ min: 0, max: 2 ** 31 - 1 });
const factors = fc.double({ min: 1, max: 3, noNaN: true });
const withSlowChip = (machine: Machine, factor: number): Machine => ({
  ...machine,
  chipSlowdown: factor === 1 ? new Map() : new Map([[3, factor]]),
});
const jitters = fc.record<Jitter>({ coefficientOfVariation: fc.constantFrom(0, 0.2), seed: fc.nat(1000) });

/** Ticks in which any collective runs on the last chip. */
function communicating({ occurrences }: Execution): number {
  const spans = occurrences.filter(({ step }) => step.kind === 'collective').sort((a, b) => a.start - b.start);
  let [total, until] = [0, 0];
  for (const { start, end } of spans) {
    total += Math.max(0, end - Math.max(start, until));
    until = Math.max(until, end);
  }
  return total;
}

it.each([
  ['links of their own for each axis', torus],
  ['ports that axes share', node],
])(
  'communication is either exposed or hidden, and as many bytes go over each link as on even chips: %s',
  (_, machine) => {
    fc.assert(
      fc.property(seeds, factors, jitters, (seed, factor, jitter) => {
        const program = fuse(randomProgram(seed));
        const run = execute(program, withSlowChip(machine, factor), STACK, { unfold: { jitter } });
        const { exposed, hidden } = run.exposure;
        expect(exposed + hidden).toBe(communicating(run));
        expect(Math.min(exposed, hidden)).toBeGreaterThanOrEqual(0);
        execute(program, machine, STACK).linkBytes.forEach((sent, link) =>
          expect(Math.abs(run.linkBytes[link]! - sent)).toBeLessThanOrEqual(1e-9 * sent),
        );
        machine.fabric.links.forEach((link, index) =>
          // Ends are rounded to ticks, of thousands a flow.
          expect(run.linkBytes[index]!).toBeLessThanOrEqual(link.bytesPerSecond * toSeconds(run.duration) * (1 + 1e-3)),
        );
      }),
      { numRuns: 40 },
    );
  },
);

it('what a switch gets, it gives', () => {
  const nodes = machineOf(switchOf(4), RANDOM_MESH);
  fc.assert(
    fc.property(seeds, jitters, (seed, jitter) => {
      const { linkBytes } = execute(fuse(randomProgram(seed)), nodes, STACK, { unfold: { jitter } });
      const [got, given] = [new Float64Array(nodes.fabric.vertices), new Float64Array(nodes.fabric.vertices)];
      nodes.fabric.links.forEach(({ from, to }, link) => {
        given[from]! += linkBytes[link]!;
        got[to]! += linkBytes[link]!;
      });
      for (let vertex = nodes.chips; vertex < nodes.fabric.vertices; vertex++)
        expect(Math.abs(got[vertex]! - given[vertex]!)).toBeLessThanOrEqual(1e-9 * got[vertex]!);
    }),
    { numRuns: 40 },
  );
});

/** Faster links, memory and matmuls. */
function faster(machine: Machine, links: number, memory: number, products: number): Machine {
  const { fabric, chip } = machine;
  const { achievable, peak } = chip.memoryBandwidth;
  const matmul = Object.entries(chip.matmul).map(([dtype, rate]) => [
    dtype,
    { ...rate, peak: flopsPerSecond(rate.peak * products), achievable: flopsPerSecond(rate.achievable * products) },
  ]);
  return {
    ...machine,
    fabric: {
      ...fabric,
      links: fabric.links.map((link) => ({ ...link, bytesPerSecond: bytesPerSecond(link.bytesPerSecond * links) })),
    },
    chip: {
      ...chip,
      memoryBandwidth: { peak: bytesPerSecond(peak * memory), achievable: bytesPerSecond(achievable * memory) },
      matmul: Object.fromEntries(matmul) as typeof chip.matmul,
    },
  };
}

it('faster links, memory or matmuls never make a step longer where nothing is shared', () => {
  const synchronous = (op: Op): Op => ({ ...op, asynchronous: false });
  const mesh = createMesh({ data: 4, model: 4 });
  const square = machineOf(torusOf(2), mesh, [4, 4]);
  const rings = { preferred: 'ring' } as const;
  fc.assert(
    fc.property(seeds, factors, factors, factors, factors, jitters, (seed, links, memory, products, slow, jitter) => {
      const random = mapOps(fuse(randomProgram(seed)), synchronous);
      const layered = layeredProgram(mesh, 1 + (seed % 3), 128 * (1 + (seed % 5)));
      for (const [program, machine] of [
        [random, torus],
        [layered, square],
      ] as const) {
        const durationOf = (quick: Machine): number =>
          execute(program, withSlowChip(quick, slow), STACK, { unfold: { jitter }, collectives: rings }).duration;
        const before = durationOf(machine);
        expect(durationOf(faster(machine, links, 1, 1))).toBeLessThanOrEqual(before);
        expect(durationOf(faster(machine, links, memory, products))).toBeLessThanOrEqual(before);
      }
    }),
    { numRuns: 40 },
  );
});
