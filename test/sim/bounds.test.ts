import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Machine } from '../../sim/index.js';
import { boundsOf, createMachine, execute } from '../../sim/index.js';
import { toSeconds } from '../../sim/engine/index.js';
import { listHardware, listStacks, loadHardware, loadStack } from '../../src/hardware/index.js';
import { createMesh } from '../../src/mesh/index.js';
import type { CollectiveName, DType, Program } from '../../src/program/index.js';
import { Builder } from '../../src/program/index.js';
import { flops } from '../../src/units.js';
import { randomProgram, RANDOM_MESH } from '../helpers/random-program.js';
import { layeredProgram, LINK, machineOf, switchOf, torusOf, withTopology } from './helpers.js';

const [GIB, MODEL] = [2 ** 30, flops(0)];

/** One collective over all chips, each of which holds 1 GiB before. */
function collective(chips: number, name: CollectiveName, attributes: Record<string, unknown> = {}): Program {
  const builder = new Builder(createMesh({ data: chips }));
  const states = name === 'all_gather' ? { data: 0 } : name === 'permute' ? {} : { data: 'partial' as const };
  const x = builder.value({ shape: [GIB / 4], dtype: 'f32' as DType, states }, 'input');
  const at = { id: name, phase: 'forward' as const };
  const y = builder.block(() => builder.emitAll(name, [x], { axis: 'data', ...attributes } as never, at));
  builder.append(y.ops);
  return builder.finish([], []);
}

const networkOf = (program: Program, machine: Machine) => boundsOf(program, machine, MODEL);

describe('the network bound', () => {
  const line = machineOf(torusOf(1), createMesh({ data: 8 }), [8]);

  it('of a gather on a closed ring is what each chip gets, over its two links', () => {
    const program = collective(8, 'all_gather', { dimensions: [0] });
    expect(networkOf(program, line).networkSeconds).toBeCloseTo((7 * GIB) / (2 * LINK), 9);
  });

  it('of an all-reduce is twice that of a scatter', () => {
    const scatter = collective(8, 'reduce_scatter', { dimensions: [0] });
    const reduce = collective(8, 'all_reduce');
    expect(networkOf(reduce, line).networkSeconds).toBeCloseTo(2 * networkOf(scatter, line).networkSeconds, 9);
  });

  it('of an open line is its end, which has one link', () => {
    const open = machineOf(torusOf(1, 3), createMesh({ data: 8 }), [8]);
    const { networkSeconds, networkThrough } = networkOf(collective(8, 'all_gather', { dimensions: [0] }), open);
    expect(networkSeconds).toBeCloseTo((7 * GIB) / LINK, 9);
    expect(networkThrough).toMatch(/^data: 1 of 8/);
  });

  it('of a far permute is the middle of the machine', () => {
    const { networkSeconds, networkThrough } = networkOf(collective(8, 'permute', { shifts: [4] }), line);
    expect(networkSeconds).toBeCloseTo((4 * GIB) / (2 * LINK), 9);
    expect(networkThrough).toMatch(/^data: 4 of 8/);
  });

  it('of nodes is their way out', () => {
    const nodes = machineOf(switchOf(4, LINK / 100), createMesh({ data: 8 }));
    const { networkSeconds } = networkOf(collective(8, 'all_gather', { dimensions: [0] }), nodes);
    expect(networkSeconds).toBeCloseTo((4 * GIB) / ((4 * LINK) / 100), 6);
  });

  it('is nothing where nothing is sent', () => {
    const { networkSeconds, networkThrough } = networkOf(new Builder(createMesh({ data: 8 })).finish([], []), line);
    expect([networkSeconds, networkThrough]).toEqual([0, null]);
  });
});

describe('bounds', () => {
  it('of arithmetic and memory scale with the layers', () => {
    const machine = machineOf(torusOf(2), createMesh({ model: 4 }));
    const at = (layers: number) => boundsOf(layeredProgram(machine.mesh, layers), machine, flops(1e15));
    const [one, two, three] = [at(1), at(2), at(3)];
    expect(three.computeSeconds).toBeCloseTo(3 * one.computeSeconds, 12);
    expect(three.memorySeconds - two.memorySeconds).toBeCloseTo(two.memorySeconds - one.memorySeconds, 12);
    expect(one.modelComputeSeconds).toBeCloseTo(1e15 / 4 / machine.chip.matmul.bf16!.peak, 9);
    expect(one.seconds).toBe(Math.max(one.computeSeconds, one.memorySeconds, one.networkSeconds));
  });

  /** Ends are rounded to 0.1 ns, a collective's at each of its steps: in a span here at most 64 times. */
  const ROUNDINGS = 64 * 0.5e-10;

  const neverBeaten = (program: Program, machine: Machine): void => {
    const bounds = boundsOf(program, machine, MODEL);
    for (const name of listStacks()) {
      const { duration, trace } = execute(program, machine, loadStack(name));
      const roundings = trace.spans.length * ROUNDINGS;
      expect(toSeconds(duration) + roundings).toBeGreaterThanOrEqual(bounds.seconds * (1 - 1e-12));
    }
  };

  it('are never beaten by random programs on the shipped machines', () => {
    const hardware = fc.constantFrom(...listHardware().map(loadHardware));
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e9 }), hardware, (seed, on) =>
        neverBeaten(randomProgram(seed), createMachine({ hardware: on, mesh: RANDOM_MESH })),
      ),
      { numRuns: 60 },
    );
  });

  it('are never beaten by sharded layers on random machines', () => {
    const topology = fc.oneof(
      fc
        .record({ dimensions: fc.constantFrom(1, 2, 3), wrap: fc.constantFrom(1, 2, 64) })
        .map(({ dimensions, wrap }) => torusOf(dimensions, wrap)),
      fc
        .record({ node: fc.constantFrom(1, 2, 4, 8), rate: fc.double({ min: 1e7, max: 1e10, noNaN: true }) })
        .map(({ node, rate }) => switchOf(node, rate)),
    );
    const shape = fc.record({
      data: fc.constantFrom(1, 2, 4, 8),
      model: fc.constantFrom(1, 2, 4, 8),
      width: fc.constantFrom(64, 512, 2048),
    });
    fc.assert(
      fc.property(topology, shape, (joined, { data, model, width }) => {
        const mesh = createMesh({ data, model });
        neverBeaten(layeredProgram(mesh, 2, width, 256), createMachine({ hardware: withTopology(joined), mesh }));
      }),
      { numRuns: 60 },
    );
  });
});
