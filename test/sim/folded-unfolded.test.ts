/** One chip that stands for all against every chip and link, where all lie alike. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { MachineOptions } from '../../sim/index.js';
import { createMachine } from '../../sim/index.js';
import { runFolded } from '../../sim/folded.js';
import { planProgram } from '../../sim/plan.js';
import { unfoldStep } from '../../sim/unfold/index.js';
import type { TorusTopology } from '../../src/hardware/index.js';
import { fuse } from '../../src/program/index.js';
import { seconds } from '../../src/units.js';
import { RANDOM_MESH, randomProgram } from '../helpers/random-program.js';
import { STACK, machineOf, slicesOf, switchOf, torusOf, withTopology } from './helpers.js';

const stacks = {
  'that launches a step': { ...STACK, hostOverheadPerStep: seconds(1e-6) },
  'that launches op by op': { ...STACK, hostOverheadPerStep: seconds(1e-6), hostTimePerOp: seconds(5e-6) },
};
const sliced = (topology: TorusTopology, shape: Omit<MachineOptions, 'hardware' | 'mesh'>) =>
  createMachine({ hardware: withTopology(topology), mesh: RANDOM_MESH, ...shape });
const node = machineOf(switchOf(8), RANDOM_MESH);
const units = { collectiveUnits: 3, matrixUnit: { ...node.chip.matrixUnit, units: 10 } };
const machines = {
  'with links of their own for each axis': machineOf(torusOf(2), RANDOM_MESH, [4, 2]),
  'on a twisted torus': sliced(torusOf(2), { slice: [2, 4], twist: true }),
  'on two slices': sliced(slicesOf(2, 1), { slice: [2, 2], slices: 2 }),
  'on two slices that are lines, two chips a host': sliced(slicesOf(1, 8, 2), { slice: [4], slices: 2 }),
  'with ports that the axes share, and units that collectives take': { ...node, chip: { ...node.chip, ...units } },
};

const cases = Object.entries(machines).flatMap(([about, machine]) =>
  Object.entries(stacks).map(([host, stack]) => [about, host, machine, stack] as const),
);
it.each(cases)('chips %s and a host %s take what all of them take, to the tick', (_, __, machine, stack) => {
  let even = 0;
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 31 - 1 }), (seed) => {
      const plan = planProgram(fuse(randomProgram(seed)), machine, stack);
      if (plan.collectives.length === 0) return;
      const folded = runFolded(plan);
      if (
        !folded.even ||
        !plan.collectives.every(({ channels }) => channels.flat().every(({ pattern }) => pattern.even))
      )
        return;
      even++;
      const { run, exposure, contention, variation } = unfoldStep(plan, machine, {});
      const { duration } = run;
      expect({ duration, exposure, contention, variation }).toEqual({
        duration: folded.duration,
        exposure: folded.exposure,
        contention: folded.contention,
        variation: 0,
      });
    }),
    { numRuns: 100 },
  );
  expect(even).toBeGreaterThan(10);
});
