/** The pruned search against every plan simulated; bounds against what they bound. */
import { beforeAll, describe, expect, test } from 'vitest';
import type { Job, Space } from '../../src/job/index.js';
import { formatPlan, numbers, resolveTask } from '../../src/job/index.js';
import type { Candidate } from '../../src/planner/index.js';
import { candidatesOf, dominates } from '../../src/planner/index.js';
import type { JobSimulation } from '../../src/cli/assess.js';
import { Assessor } from '../../src/cli/assess.js';
import { PlanBounds } from '../../src/cli/search-bounds.js';
import { jobOf, smallestAlike } from '../../src/cli/search-lane.js';
import { defaultObjectives, searchSpace } from '../../src/cli/search-plans.js';
import { bytes, seconds } from '../../src/units.js';

const task = resolveTask({ model: { preset: 'vit-tiny', depth: 4 }, hardware: 'tpu-v4', chips: 4, batch: 32 });
const space: Space = { microbatches: numbers(1, 4), options: { schedule: ['1f1b', 'zb-v'] } };

interface Simulated {
  readonly candidate: Candidate;
  readonly figures: JobSimulation;
}

const assessor = new Assessor({ unverified: true });
const all: Simulated[] = [];
const measureOf = ({ figures }: Simulated) => ({
  seconds: seconds(figures.stepTimeSeconds),
  bytes: bytes(figures.peakMemoryBytesPerChip),
});
const objectivesOf = (one: Simulated) => defaultObjectives(one.candidate, measureOf(one));
const names = (plans: readonly { readonly candidate: Candidate }[]): string[] =>
  plans.map(({ candidate }) => formatPlan(candidate.plan));

beforeAll(() => {
  for (const candidate of candidatesOf(task, space))
    all.push({ candidate, figures: assessor.simulate(jobOf(candidate)) });
}, 240_000);

interface Bound {
  readonly seconds: number;
  readonly bytes: number;
}

/** Of all that a search looks at before it simulates, what is above the simulation. */
function broken(simulated: readonly Simulated[], known: Assessor): string[] {
  const bounds = new PlanBounds({
    stack: (job) => known.stack(job),
    machine: (job) => known.machine(job),
    collectives: {},
  });
  return simulated.flatMap(({ candidate, figures }) =>
    brokenBy(looksOf(jobOf(candidate), bounds, known), candidate, figures),
  );
}

/** By its name. */
function looksOf(job: Job, bounds: PlanBounds, known: Assessor): Record<string, Bound> {
  const alike = smallestAlike(job);
  return {
    peak: bounds.peaks(job)(job.plan.microbatches),
    anywhere: bounds.anywhere(job),
    ofClass: bounds.of(job),
    timed: bounds.timed(job),
    activations: bounds.activations(job),
    ...(alike === undefined ? {} : { alike: { seconds: 0, bytes: known.memory(alike).bytes } }),
  };
}

const brokenBy = (looks: Record<string, Bound>, { plan }: Candidate, figures: JobSimulation): string[] =>
  Object.entries(looks).flatMap(([name, bound]) => [
    ...(bound.seconds > figures.stepTimeSeconds
      ? [`${name} ${formatPlan(plan)}: ${bound.seconds} s of ${figures.stepTimeSeconds}`]
      : []),
    ...(bound.bytes > figures.peakMemoryBytesPerChip
      ? [`${name} ${formatPlan(plan)}: ${bound.bytes} B of ${figures.peakMemoryBytesPerChip}`]
      : []),
  ]);

describe('on a space of hundreds of plans', () => {
  test(
    'the search finds the ten best and the front that simulating every plan finds',
    { timeout: 240_000 },
    async () => {
      expect(all.length).toBeGreaterThanOrEqual(300);
      const found = await searchSpace({ task, space, threads: 1 });
      const byTime = all.toSorted((a, b) => a.figures.stepTimeSeconds - b.figures.stepTimeSeconds);
      expect(names(found.ranked)).toEqual(names(byTime.slice(0, 10)));
      const front = byTime.filter((one) => !all.some((other) => dominates(objectivesOf(other), objectivesOf(one))));
      expect(names(found.front)).toEqual(names(front));
      expect(found.counts.candidates).toBe(all.length);
      expect(found.counts.simulated).toBeLessThan(all.length);
    },
  );

  test('bounds are never above what the simulator says', () => {
    expect(broken(all, assessor)).toEqual([]);
  });
});

describe.each([
  ['vit-tiny', 'tpu-v4', 16, 128],
  ['llama-tiny', 'tpu-v5e', 8, 64],
  ['gpt-tiny', 'h100-80gb-sxm', 16, 64],
] as const)('some plans of %s on %s', (preset, hardware, chips, batch) => {
  test('have bounds below what the simulator says', () => {
    const own = resolveTask({ model: { preset, depth: 4 }, hardware, chips, batch });
    const ownAssessor = new Assessor({ unverified: true });
    const candidates = [...candidatesOf(own, {})];
    const some = candidates.filter((_, index) => index % Math.ceil(candidates.length / 40) === 0);
    const simulated = some.map((candidate) => ({ candidate, figures: ownAssessor.simulate(jobOf(candidate)) }));
    expect(broken(simulated, ownAssessor)).toEqual([]);
  });
});
