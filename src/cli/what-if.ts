/** Simulates many jobs that differ little: on machines with other rates, with other stacks, with a slow chip. */
import type { Stack } from '../hardware/index.js';
import type { Job } from '../job/index.js';
import type { Assess } from '../planner/index.js';
import type { JobSimulation } from './assess.js';
import { Assessor, stackOf } from './assess.js';

/** Machines that an assessor keeps; those of large jobs take megabytes. */
const MOST_MACHINES = 32;

/** Jobs whose plan is the same should come one after the other: their program is lowered once. */
export function createAssess(): Assess<JobSimulation> {
  const kept = new Map<number, { assessor: Assessor; readonly names: Set<string> }>();
  const stacks = new Map<string, Stack>();
  const own = (job: Job): Stack => {
    const key = `${job.hardware.name} ${job.hardware.defaultStack}`;
    const stack = stacks.get(key) ?? stackOf(job);
    stacks.set(key, stack);
    return stack;
  };
  return (job, { stack = own(job), slowChip = 1 } = {}) => {
    let found = kept.get(slowChip);
    if (found === undefined || found.names.size >= MOST_MACHINES) {
      const faults = { links: [], chips: slowChip === 1 ? [] : [{ chip: 0, slowdown: slowChip }] };
      kept.set(slowChip, (found = { assessor: new Assessor({ faults }), names: new Set() }));
    }
    found.names.add(job.hardwareName);
    return found.assessor.simulate(job, stack);
  };
}
