/** A search as the commands ask for it: over what a task and a space allow, with the machine that they are for. */
import type { Job, ListedOption, Space, Task } from '../job/index.js';
import { DEFAULT_PLAN, numbers } from '../job/index.js';
import type { CollectiveChoice } from '../../sim/index.js';
import type { Bytes } from '../units.js';
import { Assessor } from './assess.js';
import type { JobSimulation } from './assess.js';
import type { FoundPlan } from './plan-report.js';
import { DIMENSIONS, candidatesOf } from '../planner/index.js';
import { machineryOf } from './machinery.js';

export interface SearchCounts {
  readonly candidates: number;
  readonly simulated: number;
  readonly doesNotFit: number;
  readonly excluded: number;
}

export interface PlanSearch {
  /** By step time. */
  readonly best: readonly FoundPlan[];
  /** Those that no other beats in every objective, by step time. */
  readonly front: readonly FoundPlan[];
  readonly counts: SearchCounts;
  /** Combinations that can't be had, by the reason. */
  readonly refused: ReadonlyMap<string, number>;
  readonly closest?: { readonly job: Job; readonly bytes: Bytes; readonly capacity: Bytes };
  readonly stopped: boolean;
}

export interface PlanSearchSettings {
  readonly top: number;
  readonly collectives?: CollectiveChoice | undefined;
  readonly signal?: AbortSignal;
  readonly onProgress?: (best: FoundPlan, counts: SearchCounts) => void;
}

export function searchPlans(task: Task, space: Space, settings: PlanSearchSettings): Promise<PlanSearch> {
  const assessor = new Assessor({ collectives: settings.collectives });
  const candidates = candidatesOf(task, narrowed(space), machineryOf(task));
  const found: FoundPlan[] = [];
  let closest: PlanSearch['closest'];
  const counts = { candidates: 0, simulated: 0, doesNotFit: 0, excluded: 0 };
  for (const { task: of, plan, precision } of candidates) {
    if (settings.signal?.aborted === true) break;
    const job: Job = { ...of, plan, precision };
    counts.candidates++;
    const { bytes, capacity } = assessor.memory(job);
    if (bytes > capacity * (1 - (space.headroom ?? 0))) {
      counts.doesNotFit++;
      if (closest === undefined || bytes < closest.bytes) closest = { job, bytes, capacity };
      continue;
    }
    counts.simulated++;
    const figures: JobSimulation = assessor.simulate(job);
    found.push({ job, figures });
    found.sort((a, b) => a.figures.stepTimeSeconds - b.figures.stepTimeSeconds);
    settings.onProgress?.(found[0]!, counts);
  }
  let least = Infinity;
  const front = found.filter(({ figures }) => {
    const better = figures.peakMemoryBytesPerChip < least;
    least = Math.min(least, figures.peakMemoryBytesPerChip);
    return better;
  });
  return Promise.resolve({
    best: found.slice(0, settings.top + 1),
    front,
    counts,
    refused: candidates.refused,
    ...(closest === undefined ? {} : { closest }),
    stopped: settings.signal?.aborted === true,
  });
}

/** Every candidate is simulated here, so what is left open stays at its default. */
function narrowed({ mesh, options, ...space }: Space): Space {
  const free = Object.keys(DIMENSIONS) as ListedOption[];
  const usual = Object.fromEntries(free.map((name) => [name, [DEFAULT_PLAN[name as keyof typeof DEFAULT_PLAN]]]));
  return {
    ...space,
    mesh: { pipe: numbers(1), ...mesh },
    options: { ...usual, ...options } as Space['options'] & object,
  };
}
