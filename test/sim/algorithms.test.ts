/** Every algorithm brings every member what it must get, told by who has what after each step. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createMachine, createNetwork, timeAlone } from '../../sim/index.js';
import type { AlgorithmName, Channel, Machine, NetworkOptions } from '../../sim/index.js';
import { ALGORITHMS } from '../../src/hardware/index.js';
import type { TorusTopology } from '../../src/hardware/index.js';
import { createMesh } from '../../src/mesh/index.js';
import { bytes } from '../../src/units.js';
import { machineOf, switchOf, torusOf, withTopology } from './helpers.js';

const MB = 1e6;
const EQUAL = 1e-6;
type Collective = 'all_gather' | 'reduce_scatter' | 'all_reduce' | 'all_to_all';

const twisted = (topology: TorusTopology, slice: readonly number[]): Machine =>
  createMachine({
    hardware: withTopology(topology),
    mesh: createMesh({ model: slice.reduce((product, length) => product * length, 1) }),
    slice,
    twist: true,
  });

const machines: [string, Machine][] = [
  ...[2, 3, 5, 8].map((n): [string, Machine] => [`ring of ${n}`, machineOf(torusOf(1), createMesh({ model: n }))]),
  ...[4, 7].map((n): [string, Machine] => [`line of ${n}`, machineOf(torusOf(1, 64), createMesh({ model: n }))]),
  ['plane', machineOf(torusOf(2), createMesh({ model: 12 }), [3, 4])],
  ['cube', machineOf(torusOf(3), createMesh({ model: 64 }), [4, 4, 4])],
  ...[2, 6, 8].map((n): [string, Machine] => [`switch of ${n}`, machineOf(switchOf(n), createMesh({ model: n }))]),
  ['4 nodes of 2', machineOf(switchOf(2), createMesh({ model: 8 }))],
  ['twisted plane', twisted(torusOf(2), [3, 6])],
  ['twisted cube', twisted(torusOf(3), [2, 2, 4])],
  ['longer twisted cube', twisted(torusOf(3), [2, 4, 4])],
  ['two groups', machineOf(torusOf(2), createMesh({ data: 2, model: 4 }), [2, 4])],
];

const scheduleOf = (machine: Machine, name: Collective, held: number, options: NetworkOptions = {}) =>
  createNetwork(machine, options).collective({ name, axis: 'model', heldBytes: bytes(held) });

const secondsOf = (machine: Machine, name: Collective, held: number, options: NetworkOptions = {}): number =>
  timeAlone(scheduleOf(machine, name, held, options), createNetwork(machine).sharing);

/** The algorithms that apply, as the error that names them says. */
function applicable(machine: Machine, name: Collective): AlgorithmName[] {
  return ALGORITHMS.filter((algorithm) => {
    try {
      scheduleOf(machine, name, MB, { algorithms: { [name]: algorithm } });
      return true;
    } catch (error) {
      expect((error as Error).message).toContain('PLAN_INVALID');
      expect((error as Error).message).not.toContain(`(${algorithm}`);
      return false;
    }
  });
}

/**
 * Plays a gather of `chunk` bytes: a flow carries what its sender had before the step and its receiver lacks; two flows
 * into one chip carry different parts of it.
 *
 * @returns what each chip has of each
 */
function gathered(channel: Channel, chips: number, chunk: number): Float64Array[] {
  const has = Array.from({ length: chips }, (_, chip) => {
    const own = new Float64Array(chips);
    own[chip] = chunk;
    return own;
  });
  for (const { pattern, steps, bytes: moved } of channel) {
    for (let step = 0; step < steps; step++) {
      const before = has.map((one) => one.slice());
      for (const { from, to, share } of pattern.flows) {
        let capacity = moved * share;
        for (let origin = 0; origin < chips; origin++) {
          // Chunks go whole, or a part from a sender that has all of it.
          const piece = Math.min(capacity, before[from]![origin]!, chunk - has[to]![origin]!);
          if (before[to]![origin]! >= before[from]![origin]! || piece <= 0) continue;
          has[to]![origin]! += piece;
          capacity -= piece;
        }
        // Nothing is sent in vain.
        expect(capacity).toBeLessThan(EQUAL * moved);
      }
    }
  }
  return has;
}

function expectGathered(machine: Machine, channel: Channel, chunk: number): void {
  const groupOf = new Map(createGroups(machine).flatMap((members) => members.map((chip) => [chip, members] as const)));
  gathered(channel, machine.chips, chunk).forEach((has, chip) => {
    has.forEach((amount, origin) => expect(amount / chunk).toBeCloseTo(groupOf.get(chip)!.includes(origin) ? 1 : 0, 6));
  });
}

function createGroups({ mesh, chips, chipOf }: Machine): number[][] {
  const size = mesh.axes.find(({ name }) => name === 'model')!.size;
  return Array.from({ length: chips / size }, (_, group) =>
    Array.from({ length: size }, (_member, index) => chipOf(group * size + index)),
  );
}

/** A reduction backwards is a gather: what had gone into a sum comes out of it. */
const backwards = (channel: Channel): Channel =>
  channel.toReversed().map((round) => ({
    ...round,
    pattern: {
      ...round.pattern,
      flows: round.pattern.flows.map(({ from, to, share }) => ({ from: to, to: from, share })),
    },
  }));

/** Rounds that carry parts of many chunks at once, which this bookkeeping does not tell apart, and sums in switches. */
const told = (machine: Machine, algorithm: AlgorithmName): boolean =>
  algorithm !== 'in-switch' &&
  algorithm !== 'tree' &&
  !(algorithm === 'ring' && machine.stages.get('model')!.length > 1 && machine.slice === undefined);

describe.each(machines)('on a %s', (_, machine) => {
  const n = machine.mesh.axes.find(({ name }) => name === 'model')!.size;

  it.each(applicable(machine, 'all_gather').filter((algorithm) => told(machine, algorithm)))(
    '%s gathers, scatters sums and does one after the other',
    (algorithm) => {
      const options = { algorithms: { all_gather: algorithm, reduce_scatter: algorithm, all_reduce: algorithm } };
      const { channels } = scheduleOf(machine, 'all_gather', MB, options);
      const parts = channels.length;
      for (const channel of channels) expectGathered(machine, channel, MB / parts);
      for (const channel of scheduleOf(machine, 'reduce_scatter', n * MB, options).channels)
        expectGathered(machine, backwards(channel), MB / parts);
      if (algorithm === 'hierarchical') return;
      for (const channel of scheduleOf(machine, 'all_reduce', n * MB, options).channels) {
        expectGathered(machine, backwards(channel.slice(0, channel.length / 2)), MB / parts);
        expectGathered(machine, channel.slice(channel.length / 2), MB / parts);
      }
    },
  );

  it('trees sum everything up and bring it to everyone', () => {
    if (n > 64) return;
    const [channel] = scheduleOf(machine, 'all_reduce', 1, { algorithms: { all_reduce: 'tree' } }).channels;
    for (const tree of [0, 1]) {
      let sums = Array.from({ length: machine.chips }, (_chip, chip) => new Set([chip]));
      for (const { pattern } of channel!) {
        const next = sums.map((set) => new Set(set));
        // Edge after edge, of one tree and of the other.
        pattern.flows.forEach(({ from, to }, index) => {
          if (index % 2 === tree) sums[from]!.forEach((chip) => next[to]!.add(chip));
        });
        sums = next;
      }
      for (const members of createGroups(machine))
        for (const chip of members) expect([...sums[chip]!].sort()).toEqual([...members].sort());
    }
  });

  it('every chip sends and gets enough bytes', () => {
    for (const name of ['all_gather', 'reduce_scatter', 'all_to_all'] as const) {
      for (const algorithm of applicable(machine, name).filter((one) => one !== 'in-switch')) {
        const sent = new Float64Array(machine.chips);
        const got = new Float64Array(machine.chips);
        const { channels } = scheduleOf(machine, name, n * MB, { algorithms: { [name]: algorithm } });
        for (const { pattern, steps, bytes: moved } of channels.flat()) {
          for (const { from, to, share } of pattern.flows) {
            sent[from]! += steps * moved * share;
            got[to]! += steps * moved * share;
          }
        }
        const least = (n - 1) * MB * (name === 'all_gather' ? n : 1) * (1 - EQUAL);
        for (let chip = 0; chip < machine.chips; chip++)
          expect(Math.min(sent[chip]!, got[chip]!)).toBeGreaterThan(least);
      }
    }
  });

  it('the choice is never slower than anything that could have been fixed', () => {
    for (const name of ['all_gather', 'reduce_scatter', 'all_reduce', 'all_to_all'] as const) {
      const fixed = applicable(machine, name);
      fc.assert(
        fc.property(fc.integer({ min: 0, max: 9 }), (exponent) => {
          const held = 10 ** exponent;
          const chosen = secondsOf(machine, name, held);
          for (const algorithm of fixed)
            expect(chosen).toBeLessThanOrEqual(secondsOf(machine, name, held, { algorithms: { [name]: algorithm } }));
        }),
        { numRuns: 10 },
      );
    }
  });
});

describe('the choice', () => {
  it('takes few latencies for small messages and little traffic for large ones', () => {
    const machine = machineOf(switchOf(8), createMesh({ model: 64 }));
    const steps = (held: number): number =>
      scheduleOf(machine, 'all_gather', held).channels[0]!.reduce((sum, round) => sum + round.steps, 0);
    expect(steps(8)).toBe(2);
    // All network cards and all nodes' links at once, whatever the steps.
    expect(scheduleOf(machine, 'all_gather', 1e8).algorithm).toBe('ring');
    expect(steps(1e8)).toBe(63);
  });

  it('takes what the library has, where it applies', () => {
    const machine = machineOf(switchOf(6), createMesh({ model: 6 }));
    expect(scheduleOf(machine, 'all_gather', MB, { offered: { all_gather: ['ring'] } }).algorithm).toBe('ring');
    expect(scheduleOf(machine, 'all_gather', MB, { offered: { all_gather: ['multi-axis'] } }).algorithm).toBe('direct');
    expect(scheduleOf(machine, 'all_gather', MB, { preferred: 'ring' }).algorithm).toBe('ring');
    expect(scheduleOf(machine, 'all_gather', MB, { preferred: 'multi-axis' }).algorithm).toBe('direct');
  });

  it('says what applies where an algorithm does not', () => {
    const machine = machineOf(switchOf(6), createMesh({ model: 6 }));
    expect(() => scheduleOf(machine, 'all_gather', MB, { algorithms: { all_gather: 'halving-doubling' } })).toThrow(
      /PLAN_INVALID at collective all_gather: .*\(ring, direct\), got halving-doubling/,
    );
  });
});

describe('patterns that meet', () => {
  const machine = machineOf(torusOf(2), createMesh({ data: 4, model: 4 }), [4, 4]);
  const network = createNetwork(machine, { algorithms: { all_gather: 'ring' } });
  const patternOf = (axis: 'data' | 'model') =>
    network.collective({ name: 'all_gather', axis, heldBytes: bytes(MB) }).channels[0]![0]!.pattern;

  it('go as fast as alone where they use other links', () => {
    const [data, model] = [patternOf('data'), patternOf('model')];
    const { rates, even } = network.sharing.sharedRates([data, model]);
    expect(rates).toEqual([data.bottleneck.rate, model.bottleneck.rate]);
    expect(even).toBe(true);
  });

  it('share what both use', () => {
    const data = patternOf('data');
    const { rates, even } = network.sharing.sharedRates([data, data]);
    expect(rates).toEqual([data.bottleneck.rate / 2, data.bottleneck.rate / 2]);
    expect(even).toBe(true);
    expect(network.sharing.sharedRates([data, data])).toBe(network.sharing.sharedRates([data, data]));
  });
});
