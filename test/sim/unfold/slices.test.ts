/** Steps on slices that wrap or don't, twisted ones, and several of them: folded as unfolded wherever folding says so. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createMachine, execute } from '../../../sim/index.js';
import type { Execution } from '../../../sim/index.js';
import { lowerJob, parsePlanInput, resolveJob } from '../../../src/job/index.js';
import { STACK, slicesOf, withTopology } from '../helpers.js';

interface Shape {
  readonly slice: readonly number[];
  readonly slices?: number;
  readonly twist?: boolean;
}

const shapes = fc.constantFrom<Shape>(
  { slice: [1, 1, 8] },
  { slice: [1, 2, 4] },
  { slice: [2, 2, 4] },
  { slice: [1, 4, 4] },
  { slice: [1, 2, 4], slices: 2 },
  { slice: [1, 1, 4], slices: 2 },
  { slice: [1, 1, 4], slices: 4 },
  { slice: [2, 2, 2], slices: 2 },
  { slice: [2, 2, 4], twist: true },
  { slice: [2, 4, 4], twist: true },
  { slice: [2, 4, 2], twist: true, slices: 2 },
);
const plans = fc.constantFrom(
  '',
  'shard=parameters',
  'shard=parameters prefetch=0',
  'shard=optimizer linears=ring',
  'linears=ring',
);
/** The rest lies on `data`. */
const sizes = fc.constantFrom(1, 1, 2, 4);
const cases = fc.record({
  shape: shapes,
  wrapMultiple: fc.constantFrom(1, 4, 64, 64),
  chipsPerHost: fc.constantFrom(1, 4),
  replica: sizes,
  model: sizes,
  preset: fc.constantFrom('vit-tiny', 'gpt-tiny'),
  plan: plans,
  preferred: fc.constantFrom(undefined, 'direct', 'halving-doubling', 'hierarchical'),
});

const timesOf = ({ duration, exposure, computeTicks }: Execution) => ({ duration, exposure, computeTicks });

it('takes on one chip what it takes on all, to the tick, or is said to be an estimate', () => {
  let exact = 0;
  let otherwise = 0;
  fc.assert(
    fc.property(cases, ({ shape, wrapMultiple, chipsPerHost, replica, model, preset, plan, preferred }) => {
      const chips = shape.slice.reduce((product, length) => product * length, shape.slices ?? 1);
      const data = chips / model / replica;
      fc.pre(data > 1 && Number.isInteger(data));
      fc.pre(shape.twist !== true || wrapMultiple === 1);
      fc.pre(model > 1 || !plan.includes('linears'));
      const mesh = Object.entries({ replica, data, model }).flatMap(([axis, size]) =>
        size > 1 ? [`${axis}=${size}`] : [],
      );
      const words = parsePlanInput(`${mesh.join()} microbatches=1 ${plan}`, 'plan');
      const input = { model: preset, hardware: 'tpu-v4', chips, batch: 4 * chips, plan: words };
      const job = resolveJob(input, () => true);
      const hardware = withTopology(slicesOf(3, wrapMultiple, chipsPerHost));
      const machine = createMachine({ hardware, mesh: job.plan.mesh, ...shape });
      const program = lowerJob(job);
      const collectives = preferred === undefined ? {} : ({ preferred } as const);
      const one = execute(program, machine, STACK, { collectives });
      const all = timesOf(execute(program, machine, STACK, { collectives, unfold: {} }));
      if (one.folded) {
        exact++;
        expect(all).toEqual(timesOf(one));
      } else if (all.duration !== one.duration) otherwise++;
    }),
    { numRuns: 80 },
  );
  // Both kinds were met: with chips that differ, to call them alike would be found out.
  expect(exact).toBeGreaterThan(20);
  expect(otherwise).toBeGreaterThan(0);
});
