import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createMesh } from '../../../src/mesh/index.js';
import { bytesPerSecond } from '../../../src/units.js';
import { timeAlone, createNetwork } from '../../../sim/index.js';
import { bytes } from '../../../src/units.js';
import type { CollectiveRequest, Machine } from '../../../sim/index.js';
import { unfold } from '../../../sim/unfold/index.js';
import { machineOf, switchOf, torusOf } from '../helpers.js';
import { Steps } from './support.js';

const NAMES = ['all_gather', 'reduce_scatter', 'all_reduce', 'all_to_all', 'permute'] as const;

/** On 4 × 4 chips or more, wrapped, or in a node: every chip lies like every other. */
const alikeMachines = fc.constantFrom(
  () => machineOf(torusOf(2), createMesh({ data: 4, model: 4 }), [4, 4]),
  () => machineOf(torusOf(3), createMesh({ data: 8, model: 8 }), [4, 4, 4]),
  () => machineOf(torusOf(1), createMesh({ model: 8 })),
  () => machineOf(switchOf(8), createMesh({ model: 8 })),
);

const withLinks = (machine: Machine, rate: (index: number) => number): Machine => ({
  ...machine,
  fabric: {
    ...machine.fabric,
    links: machine.fabric.links.map((link, index) => ({
      ...link,
      bytesPerSecond: bytesPerSecond(link.bytesPerSecond * rate(index)),
    })),
  },
});

interface Action {
  readonly kernel: number;
  readonly name: CollectiveRequest['name'];
  readonly data: boolean;
  readonly held: number;
  readonly synchronous: boolean;
}

const actions: fc.Arbitrary<Action[]> = fc.array(
  fc.record({
    kernel: fc.integer({ min: 0, max: 300_000 }),
    name: fc.constantFrom(...NAMES),
    data: fc.boolean(),
    held: fc.integer({ min: 0, max: 1_000_000 }),
    synchronous: fc.boolean(),
  }),
  { minLength: 1, maxLength: 6 },
);

function stepsOf(machine: Machine, list: readonly Action[]): Steps {
  const steps = new Steps(machine);
  const both = machine.stages.has('data');
  let last: number | undefined;
  for (const { kernel, name, data, held, synchronous } of list) {
    steps.kernel(kernel, last === undefined || held % 2 === 0 ? [] : [last]);
    last = steps.collective(name, data && both ? 'data' : 'model', held, { synchronous });
  }
  return steps;
}

/** On which machine, what it does, which chip or link is slow, and by how much. */
const slowed = [alikeMachines, actions, fc.nat(), fc.double({ min: 1, max: 3, noNaN: true })] as const;

describe('a collective on all chips', () => {
  it.each(NAMES)('takes as long as alone and all chips end together: %s', (name) => {
    fc.assert(
      fc.property(alikeMachines, fc.integer({ min: 1, max: 10_000_000 }), (machineFor, held) => {
        const machine = machineFor();
        const steps = new Steps(machine);
        steps.collective(name, 'model', held);
        const run = unfold(steps.options());
        const network = createNetwork(machine);
        const shifts = [{ by: 1, bytes: bytes(held) }];
        const schedule = network.collective({ name, axis: 'model', heldBytes: bytes(held), shifts });
        fc.pre(schedule.channels.flat().every(({ pattern }) => pattern.even));
        expect(run.duration).toBe(timeAlone(schedule, network.sharing));
        expect(new Set(run.ends).size).toBe(1);
      }),
      { numRuns: 40 },
    );
  });

  it('sends over each link what its schedule says', () => {
    fc.assert(
      fc.property(
        alikeMachines,
        fc.constantFrom(...NAMES),
        fc.integer({ min: 1, max: 1e7 }),
        (machineFor, name, held) => {
          const machine = machineFor();
          const steps = new Steps(machine);
          steps.collective(name, 'model', held);
          const [only] = steps.instructions;
          const expected = machine.fabric.links.map(() => 0);
          if (only!.kind === 'collective')
            for (const { pattern, steps: times, bytes: of } of only!.step.schedule.channels.flat())
              for (const [link, share] of pattern.linkShares) expected[link]! += share * of * times;
          unfold(steps.options()).linkBytes.forEach((sent, link) =>
            expect(Math.abs(sent - expected[link]!)).toBeLessThanOrEqual(1e-9 * expected[link]! + 1e-9),
          );
        },
      ),
      { numRuns: 40 },
    );
  });
});

describe('a step', () => {
  it('is at least as long with a slow chip, and as with none where its factor is 1', () => {
    fc.assert(
      fc.property(...slowed, (of, list, at, factor) => {
        const machine = of();
        const steps = stepsOf(machine, list);
        const even = unfold(steps.options());
        const chip = at % machine.chips;
        const slow = unfold(steps.options({ chipSlowdown: new Map([[chip, factor]]) }));
        // Kernels are as slow as asked for, and where nothing is shared that delays all that depends on them.
        expect(slow.kernelsAlone[chip]).toBeGreaterThanOrEqual(even.kernelsAlone[chip]!);
        expect(slow.kernelsAlone[(chip + 1) % machine.chips]).toBe(even.kernelsAlone[(chip + 1) % machine.chips]);
        const same = unfold(steps.options({ chipSlowdown: new Map([[chip, 1]]) }));
        expect(same).toEqual(even);
      }),
      { numRuns: 40 },
    );
  });

  it('with slow chips or links is never shorter where no two collectives run at once', () => {
    fc.assert(
      fc.property(...slowed, (of, list, at, factor) => {
        const machine = of();
        // One axis at a time, and patterns whose flows share no link.
        const names = ['permute', 'all_gather'] as const;
        const alone = list.map((action, index) => ({ ...action, name: names[index % 2]!, synchronous: true }));
        const steps = stepsOf(machine, alone);
        const even = unfold(steps.options()).duration;
        const chipSlowdown = new Map([[at % machine.chips, factor]]);
        expect(unfold(steps.options({ chipSlowdown })).duration).toBeGreaterThanOrEqual(even);
        const slowLink = withLinks(machine, (index) => (index === at % machine.fabric.links.length ? 1 / factor : 1));
        expect(unfold(steps.options({ fabric: slowLink.fabric })).duration).toBeGreaterThanOrEqual(even);
      }),
      { numRuns: 40 },
    );
  });

  it('has every chip at work, waiting for links, or idle at any time', () => {
    fc.assert(
      fc.property(alikeMachines, actions, fc.nat(1000), (of, list, seed) => {
        const run = unfold(stepsOf(of(), list).options({ jitter: { coefficientOfVariation: 0.3, seed } }));
        run.ends.forEach((end, chip) => {
          let counted = run.busy[chip]!;
          for (const exposed of run.exposedByAxis.values()) counted += exposed[chip]!;
          expect(counted).toBeLessThanOrEqual(end);
          expect(run.hidden[chip]).toBeLessThanOrEqual(run.busy[chip]!);
          expect(end).toBeLessThanOrEqual(run.duration);
        });
      }),
      { numRuns: 40 },
    );
  });

  it('is the same again, and without jitter as with a jitter of 0', () => {
    fc.assert(
      fc.property(alikeMachines, actions, fc.nat(1000), (of, list, seed) => {
        const steps = stepsOf(of(), list);
        const jitter = { coefficientOfVariation: 0.2, seed };
        expect(unfold(steps.options({ jitter }))).toEqual(unfold(steps.options({ jitter })));
        expect(unfold(steps.options({ jitter: { coefficientOfVariation: 0, seed } }))).toEqual(unfold(steps.options()));
      }),
      { numRuns: 25 },
    );
  });
});

describe('a slow chip', () => {
  const machine = machineOf(torusOf(2), createMesh({ data: 4, model: 4 }), [4, 4]);

  it('holds up its own group and no other', () => {
    const steps = new Steps(machine).kernel(100_000);
    steps.collective('all_gather', 'model', 1000);
    const even = unfold(steps.options());
    const slow = unfold(steps.options({ chipSlowdown: new Map([[5, 2]]) }));
    const group = machine.stages.get('model')![0]!.groups.find((chips) => chips.includes(5))!;
    slow.ends.forEach((end, chip) => {
      expect(end).toBe(even.ends[chip]! + (group.includes(chip) ? 100_000 : 0));
    });
  });

  it('holds up neighbours a ring step after the other', () => {
    const ring = machineOf(torusOf(1), createMesh({ model: 8 }));
    const steps = new Steps(ring).kernel(100_000);
    steps.collective('permute', 'model', 1000);
    const slow = unfold(steps.options({ chipSlowdown: new Map([[3, 2]]) }));
    const later = [...slow.ends.keys()].filter((chip) => slow.ends[chip]! > slow.ends[0]!);
    expect(later).toEqual([2, 3, 4]);
  });
});

describe('kernels beside collectives', () => {
  it('take longer exactly as long as these run', () => {
    const machine = machineOf(torusOf(1), createMesh({ model: 4 }));
    const steps = new Steps(machine);
    steps.collective('permute', 'model', 100_000);
    steps.kernel(3_000_000);
    const alone = unfold(steps.options());
    const transfer = 1_000_000 + 10_000;
    const slowed = unfold(steps.options({ slowdown: (_, beside) => (beside.length > 0 ? 2 : 1) }));
    expect(alone.duration).toBe(3_000_000);
    expect(slowed.duration).toBe(3_000_000 + transfer / 2);
    expect(slowed.hidden[0]).toBe(transfer);
  });
});

describe('what waits for itself', () => {
  it('is refused with the chip and the op, not waited for', () => {
    const machine = machineOf(torusOf(1), createMesh({ model: 4 }));
    const steps = new Steps(machine);
    steps.collective('all_gather', 'model', 1000, { operands: [1] });
    steps.collective('all_gather', 'model', 1000);
    expect(() => unfold(steps.options())).toThrow(/INTERNAL at chip 0 .* all_gather model\/0 \(run 0\) waits for what/);
  });
});

describe('jitter', () => {
  it('has the mean and the variation asked for', () => {
    const machine = machineOf(torusOf(3), createMesh({ data: 1000 }), [10, 10, 10]);
    const steps = new Steps(machine);
    for (let kernel = 0; kernel < 20; kernel++) steps.kernel(1_000_000);
    const { busy } = unfold(steps.options({ jitter: { coefficientOfVariation: 0.1, seed: 7 } }));
    const mean = busy.reduce((sum, time) => sum + time, 0) / busy.length;
    const variance = busy.reduce((sum, time) => sum + (time - mean) ** 2, 0) / busy.length;
    // Of 20 kernels: a variation of 0.1/√20. Four standard errors of each over 1,000 chips.
    expect(Math.abs(mean / 20e6 - 1)).toBeLessThan((4 * 0.1) / Math.sqrt(20_000));
    expect(Math.abs(Math.sqrt(variance) / mean / (0.1 / Math.sqrt(20)) - 1)).toBeLessThan(4 / Math.sqrt(2000));
  });
});
