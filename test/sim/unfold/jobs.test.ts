/** Jobs of random small models, meshes and plans: folded as unfolded, and what holds of a step whatever chips do. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Assessor, stackOf } from '../../../src/cli/assess.js';
import type { Faults, Machine } from '../../../sim/index.js';
import { createMachine, shortLinkName } from '../../../sim/index.js';
import type { AlgorithmName } from '../../../src/hardware/index.js';
import { ALGORITHMS } from '../../../src/hardware/index.js';
import { randomJobs } from '../../helpers/random-job.js';

type Slow = readonly [which: number, times: number];

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

it('take as long on one chip that stands for all as on all, in each category, wherever folding says so', () => {
  let exact = 0;
  const taken = new Set<AlgorithmName>();
  fc.assert(
    fc.property(randomJobs, fc.option(fc.constantFrom(...ALGORITHMS), { nil: undefined }), (job, preferred) => {
      const assessor = new Assessor({ collectives: preferred === undefined ? {} : { preferred } });
      const one = assessor.assess(job);
      if (!one.execution.folded) return;
      exact++;
      for (const { schedule } of one.execution.plan.collectives) taken.add(schedule.algorithm);
      const all = assessor.assess(job, stackOf(job), {});
      const { links: sentByOne, ...alike } = one.simulation;
      const { links: sentByAll, ...rest } = all.simulation;
      expect({ ...rest, folded: true, unfolded: null }).toEqual(alike);
      expect(sentByAll.totalBytes / Math.max(1, sentByOne.totalBytes)).toBeCloseTo(sentByOne.totalBytes > 0 ? 1 : 0, 9);
      expect(all.execution.computeTicks.variation).toBe(0);
    }),
    { numRuns: 25 },
  );
  expect(exact).toBeGreaterThan(5);
  expect(taken.size).toBeGreaterThan(2);
});

const slowness = fc.array(fc.tuple(fc.nat(), fc.double({ min: 1, max: 3, noNaN: true })), { maxLength: 2 });

/** Some of a machine's chips and links by any number, so many times as slow. */
function faultsOf(machine: Machine, chips: readonly Slow[], links: readonly Slow[]): Faults {
  const names = machine.fabric.links.map(({ name }) => shortLinkName(name));
  return {
    chips: chips.map(([chip, slowdown]) => ({ chip: chip % machine.chips, slowdown })),
    links: links.map(([link, times]) => ({ link: names[link % names.length]!, left: 1 / times })),
  };
}

it('spend the step on categories that add up to it, and no more FLOPs than there are, with faults and jitter', () => {
  const variations = fc.constantFrom(0, 0.05, 0.3, 1);
  fc.assert(
    fc.property(randomJobs, slowness, slowness, fc.nat(1000), variations, (job, chips, links, seed, varied) => {
      const machine = createMachine({ ...job.plan, hardware: job.hardware });
      const assessor = new Assessor({ faults: faultsOf(machine, chips, links) });
      const { simulation, execution } = assessor.assess(job, stackOf(job), {
        jitter: { coefficientOfVariation: varied, seed },
      });
      const { timeByCategorySeconds, stepTimeSeconds, mfu, hfu, unfolded } = simulation;
      expect(Math.min(simulation.computeSeconds, simulation.overheadSeconds)).toBeGreaterThanOrEqual(0);
      expect(sum(Object.values(timeByCategorySeconds))).toBeCloseTo(stepTimeSeconds, 12);
      for (const [category, time] of Object.entries(timeByCategorySeconds))
        if (category !== 'variation') expect(time).toBeGreaterThanOrEqual(0);
      if (varied === 0 && chips.every(([, times]) => times === 1)) expect(timeByCategorySeconds.variation).toBe(0);
      expect(mfu).toBeGreaterThan(0);
      // Both are sums of the same products, over an unsharded and a sharded program.
      expect(mfu).toBeLessThanOrEqual(hfu * (1 + 1e-9));
      expect(hfu).toBeLessThanOrEqual(1);
      const { exposed, exposedByAxis, hidden } = execution.exposure;
      expect(sum(Object.values(exposedByAxis))).toBe(exposed);
      expect(Math.min(exposed, hidden)).toBeGreaterThanOrEqual(0);
      for (const { min, mean, max } of Object.values(unfolded!.chips)) {
        expect(min).toBeLessThanOrEqual(mean * (1 + 1e-9));
        expect(mean).toBeLessThanOrEqual(max * (1 + 1e-9));
      }
      expect(unfolded!.chips.endSeconds.max).toBe(stepTimeSeconds);
    }),
    { numRuns: 25 },
  );
});
