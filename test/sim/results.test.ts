/** What a simulated step is made of: for random programs, on machines of several kinds. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toTicks } from '../../sim/engine/index.js';
import {
  createMachine,
  criticalPath,
  execute,
  linkClasses,
  linkUses,
  memoryOptions,
  memoryTimeline,
  opUse,
  summarizeLinks,
  ticksByCategory,
} from '../../sim/index.js';
import { fuse, memoryUse } from '../../src/program/index.js';
import { flopsPerSecond, seconds } from '../../src/units.js';
import { RANDOM_MESH, randomProgram } from '../helpers/random-program.js';
import { STACK, machineOf, switchOf, torusOf, withTopology } from './helpers.js';

const STACKS = [
  STACK,
  { ...STACK, asynchronous: [] },
  { ...STACK, hostOverheadPerStep: seconds(3e-5), kernelLaunchOverhead: seconds(1e-6) },
];
const MACHINES = [
  machineOf(torusOf(2), RANDOM_MESH, [4, 2]),
  machineOf(switchOf(4), RANDOM_MESH),
  createMachine({ hardware: withTopology(switchOf(8)), mesh: RANDOM_MESH }),
];

const total = (parts: readonly number[]): number => parts.reduce((sum, part) => sum + part, 0);
const inTicks = (value: number): number => toTicks(seconds(value));

const cases = fc.record({
  seed: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
  machine: fc.constantFrom(...MACHINES),
  stack: fc.constantFrom(...STACKS),
});

const check = (property: (run: ReturnType<typeof ran>) => void, numRuns = 150): void =>
  fc.assert(
    fc.property(cases, (one) => property(ran(one))),
    { numRuns },
  );

function ran({ seed, machine, stack }: typeof cases extends fc.Arbitrary<infer T> ? T : never) {
  const program = fuse(randomProgram(seed));
  const execution = execute(program, machine, stack);
  return { program, machine, execution, stepSeconds: execution.trace.duration as number };
}

describe('the time of a step', () => {
  it('is the sum of its categories, none of them negative', () => {
    check(({ execution }) => {
      const parts = Object.values(ticksByCategory(execution));
      expect(Math.min(...parts)).toBeGreaterThanOrEqual(0);
      expect(total(parts)).toBe(execution.duration);
    });
  });

  it('is exposed by axis as by op', () => {
    check(({ execution, machine, stepSeconds }) => {
      const { collectives, communicationByAxis } = opUse(
        execution.occurrences,
        stepSeconds,
        machine,
        flopsPerSecond(1),
      );
      const { exposed, exposedByAxis } = execution.exposure;
      expect(inTicks(total(collectives.map(({ exposedSeconds }) => exposedSeconds)))).toBe(exposed);
      for (const [axis, use] of Object.entries(communicationByAxis)) {
        expect(inTicks(use.exposedSeconds)).toBe(exposedByAxis[axis as 'data'] ?? 0);
        expect(use.exposedSeconds + use.hiddenSeconds).toBeCloseTo(use.busySeconds, 12);
      }
    });
  });
});

describe('the critical path', () => {
  it('adds up to the step, by op and by kind', () => {
    check(({ execution }) => {
      const { occurrences, duration, plan } = execution;
      const { ops, byCategorySeconds, collectivesByAxisSeconds } = criticalPath(
        occurrences,
        duration,
        plan.hostDuration,
      );
      expect(total(ops.map((op) => inTicks(op.seconds)))).toBe(duration);
      const kinds = [...Object.values(byCategorySeconds), ...Object.values(collectivesByAxisSeconds)];
      expect(total(kinds.map(inTicks))).toBe(duration);
      expect(Math.min(...kinds, ...ops.map((op) => op.seconds))).toBeGreaterThanOrEqual(0);
    });
  });

  it('has nothing on it that nothing is known to cause', () => {
    check(({ execution }) => {
      const { occurrences, duration, plan } = execution;
      const { byCategorySeconds } = criticalPath(occurrences, duration, plan.hostDuration);
      expect(byCategorySeconds.idle).toBe(0);
    });
  });

  it('is at least all that a step spends on kernels where nothing overlaps', () => {
    check(({ execution }) => {
      const { occurrences, duration, plan } = execution;
      if (occurrences.some(({ step }) => step.kind === 'collective' && step.asynchronous)) return;
      const { byCategorySeconds } = criticalPath(occurrences, duration, plan.hostDuration);
      const categories = ticksByCategory(execution);
      for (const category of ['matmul', 'memory', 'vector', 'overhead', 'optimizer', 'host'] as const)
        expect(inTicks(byCategorySeconds[category])).toBe(categories[category]);
    });
  });
});

describe('memory over time', () => {
  it('has the peak of the analysis, in time order, and adds up by role', () => {
    check(({ program, execution, stepSeconds }) => {
      const options = memoryOptions(program, execution.plan.stack);
      const points = memoryTimeline(program, execution.occurrences, stepSeconds, options, 8);
      const { peakBytes, peakOpId } = memoryUse(program, options);
      const peak = Math.max(...points.map(({ totalBytes }) => totalBytes));
      expect(peak).toBe(peakBytes);
      expect(points.filter(({ totalBytes }) => totalBytes === peak).map(({ opId }) => opId)).toContain(peakOpId);
      points.forEach(({ seconds: at, totalBytes, bytesByRole }, index) => {
        expect(at).toBeGreaterThanOrEqual(points[index - 1]?.seconds ?? 0);
        expect(at).toBeLessThanOrEqual(stepSeconds);
        expect(total(Object.values(bytesByRole))).toBe(totalBytes);
      });
      expect(points.length).toBeLessThanOrEqual(2 * 8 + 1);
    });
  });
});

describe('links', () => {
  it('are each in one class, whose bytes add up', () => {
    check(({ execution, machine, stepSeconds }) => {
      const uses = linkUses(machine, execution.linkBytes, stepSeconds);
      const classes = linkClasses(uses);
      const { count, totalBytes } = summarizeLinks(uses);
      expect(total(classes.map((one) => one.count))).toBe(count);
      expect(total(classes.flatMap(({ histogram }) => histogram))).toBe(count);
      expect(total(classes.map((one) => one.totalBytes)) / Math.max(1, totalBytes)).toBeCloseTo(totalBytes > 0 ? 1 : 0);
      expect(Math.max(0, ...uses.map(({ utilization }) => utilization))).toBeLessThanOrEqual(1);
    }, 60);
  });

  it('are alike along a dimension of a torus, one way', () => {
    const machine = machineOf(torusOf(2), RANDOM_MESH, [4, 2]);
    const uses = linkUses(machine, new Float64Array(machine.fabric.links.length), 1);
    expect(linkClasses(uses).map(({ name }) => name)).toEqual(['chip +x', 'chip -x', 'chip +y', 'chip -y']);
  });
});
