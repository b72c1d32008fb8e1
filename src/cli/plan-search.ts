/** A search as commands ask for it: its plans as jobs, with what only the machine knows. */
import type { Job, Space, Task } from '../job/index.js';
import type { Candidate, SearchCounts } from '../planner/index.js';
import type { CollectiveChoice } from '../../sim/index.js';
import type { Bytes } from '../units.js';
import type { JobSimulation } from './assess.js';
import { requireTaken } from './collective-flag.js';
import { machineryOf } from './machinery.js';
import type { FoundPlan } from './plan-report.js';
import { searchSpace } from './search-plans.js';

export interface PlanSearch {
  /** By step time. */
  readonly best: readonly FoundPlan[];
  /** Those that no other beats in every objective, by step time. */
  readonly front: readonly FoundPlan[];
  readonly counts: SearchCounts;
  /** Combinations that can't be had, by the reason. */
  readonly refused: ReadonlyMap<string, number>;
  /** Of plans that don't fit, the one that needs least memory. */
  readonly closest?: { readonly job: Job; readonly bytes: Bytes; readonly capacity: Bytes } | undefined;
  readonly isComplete: boolean;
}

export interface PlanSearchSettings {
  /** How many of the best are found for sure. */
  readonly top: number;
  readonly collectives?: CollectiveChoice | undefined;
  readonly signal?: AbortSignal;
  readonly threads?: number;
  /** Gets the best so far, best first, whenever more plans were simulated. */
  readonly onProgress?: (best: readonly FoundPlan[], counts: SearchCounts) => void;
}

/** A candidate is a job once it is chosen. */
export const jobOf = ({ task, plan, precision }: Candidate): Job => ({ ...task, plan, precision });

const foundOf = (one: { readonly candidate: Candidate; readonly figures: JobSimulation }): FoundPlan => ({
  job: jobOf(one.candidate),
  figures: one.figures,
});

/** @throws MeshwrightError of a space that has no plan, and USAGE of a collective's algorithm that no plan takes */
export async function searchPlans(
  task: Task,
  space: Space,
  { top, collectives, signal, threads, onProgress }: PlanSearchSettings,
): Promise<PlanSearch> {
  const found = await searchSpace({
    task,
    space,
    machinery: machineryOf(task),
    top,
    ...(collectives === undefined ? {} : { collectives }),
    ...(signal === undefined ? {} : { signal }),
    ...(threads === undefined ? {} : { threads }),
    onProgress: ({ ranked, counts }) => {
      if (ranked.length > 0) onProgress?.(ranked.map(foundOf), counts);
    },
  });
  const { ranked, front, counts, refused, closest, isComplete, taken } = found;
  if (collectives !== undefined && ranked.length > 0) requireTaken(collectives, taken);
  return {
    best: ranked.map(foundOf),
    front: front.map(foundOf),
    counts,
    refused,
    isComplete,
    ...(closest === undefined
      ? {}
      : { closest: { job: jobOf(closest.candidate), bytes: closest.bytes, capacity: closest.capacity } }),
  };
}
