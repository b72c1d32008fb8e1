/** The pruned search against every plan simulated; bounds against what they bound. */
import { beforeAll, describe, expect, test } from 'vitest';
import type { Space } from '../../src/job/index.js';
import { formatPlan, numbers, resolveTask } from '../../src/job/index.js';
import type { Candidate } from '../../src/planner/index.js';
import { candidatesOf, dominates } from '../../src/planner/index.js';
import type { JobSimulation } from '../../src/cli/assess.js';
import { Assessor } from '../../src/cli/assess.js';
import { PlanBounds } from '../../src/cli/search-bounds.js';
import { jobOf } from '../../src/cli/search-lane.js';
import { defaultObjectives, searchSpace } from '../../src/cli/search-plans.js';
import { bytes, seconds } from '../../src/units.js';

const task = resolveTask({ model: { preset: 'vit-tiny', depth: 4 }, hardware: 'tpu-v4', chips: 4, batch: 32 });
const space: Space = { microbatches: numbers(1, 4), options: { schedule: ['1f1b', 'zb-v'] } };

interface Simulated {
  readonly candidate: Candidate;
  readonly figures: JobSimulation;
}

const assessor = new Assessor();
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
    const bounds = new PlanBounds({
      stack: (job) => assessor.stack(job),
      machine: (job) => assessor.machine(job),
      collectives: {},
    });
    const broken: string[] = [];
    for (const { candidate, figures } of all) {
      const job = jobOf(candidate);
      const found = {
        peak: bounds.peaks(job)(job.plan.microbatches),
        ofClass: bounds.of(job),
        folded: bounds.folded(job),
        activations: bounds.activations(job),
      };
      for (const [level, bound] of Object.entries(found)) {
        if (bound.seconds > figures.stepTimeSeconds)
          broken.push(`${level} ${formatPlan(job.plan)}: ${bound.seconds} s of ${figures.stepTimeSeconds}`);
        if (bound.bytes > figures.peakMemoryBytesPerChip)
          broken.push(`${level} ${formatPlan(job.plan)}: ${bound.bytes} B of ${figures.peakMemoryBytesPerChip}`);
      }
    }
    expect(broken).toEqual([]);
  });
});
