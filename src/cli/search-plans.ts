/** A search over plans, with everything that it needs: bounds, the simulator, and a lane on each core. */
import { availableParallelism } from 'node:os';
import type { Space, Task } from '../job/index.js';
import type {
  Candidate,
  CandidateFamily,
  Candidates,
  Found,
  Machinery,
  Measure,
  Objectives,
} from '../planner/index.js';
import { candidatesOf, searchPlans } from '../planner/index.js';
import type { CollectiveChoice, Faults } from '../../sim/index.js';
import type { JobSimulation } from './assess.js';
import { compileWhatIsHot } from './cold-code.js';
import type { TakenCollective } from './collective-flag.js';
import { LocalLane } from './search-lane.js';
import { WorkerLane } from './search-worker-lane.js';

export interface PlanSearchRequest {
  readonly task: Task;
  readonly space: Space;
  readonly machinery?: Machinery;
  readonly faults?: Faults;
  readonly collectives?: CollectiveChoice;
  /** How many of the best are found for sure; 10 unless given. */
  readonly top?: number;
  /** What the front is over; step time, memory, chips and what an example costs unless given. */
  readonly objectives?: (candidate: Candidate, measure: Measure) => Objectives;
  /** Lanes, one of them this thread; as many as there are cores unless given. */
  readonly threads?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (found: Pick<FoundPlans, 'counts' | 'ranked'>) => void;
}

export interface FoundPlans extends Found<Candidate, JobSimulation> {
  /** Algorithms that collectives take in plans that were simulated. */
  readonly taken: readonly TakenCollective[];
}

export const DEFAULT_TOP = 10;

/**
 * Money and energy are in proportion to chip-seconds on one machine: of an example, since a larger batch takes longer and may
 * cost less.
 */
export const defaultObjectives = ({ task: { chips, batch } }: Candidate, { seconds, bytes }: Measure): Objectives => [
  seconds,
  bytes,
  chips,
  (chips / batch) * seconds,
];

/** Candidates that fewer threads are as fast with as their start takes. */
const FEW = 12;

/**
 * Finds the best plans of a space. The result is the same on any number of threads.
 *
 * @throws MeshwrightError of a space that has no plan; PLAN_INVALID of a collective's algorithm that a plan can't have
 */
export async function searchSpace(request: PlanSearchRequest): Promise<FoundPlans> {
  compileWhatIsHot();
  const { task, space, machinery, faults, collectives, signal, onProgress, threads = availableParallelism() } = request;
  const settings = {
    task,
    headroom: space.headroom ?? 0,
    ...(faults === undefined ? {} : { faults }),
    ...(collectives === undefined ? {} : { collectives }),
  };
  const workers: WorkerLane[] = [];
  const local = new LocalLane(settings);
  const candidates = candidatesOf(task, space, machinery);
  try {
    if (threads > 1 && hasMoreThan(candidates, FEW))
      for (let count = 1; count < threads; count++) workers.push(new WorkerLane(settings));
    const found = await searchPlans(familiesOf(candidates, local), {
      lanes: [local, ...workers],
      objectives: request.objectives ?? defaultObjectives,
      top: request.top ?? DEFAULT_TOP,
      ...(signal === undefined ? {} : { signal }),
      ...(onProgress === undefined ? {} : { onProgress }),
    });
    const refused = new Map(candidates.refused);
    for (const [reason, count] of found.refused) refused.set(reason, (refused.get(reason) ?? 0) + count);
    return { ...found, refused, taken: [local, ...workers].flatMap(({ taken }) => taken) };
  } finally {
    await Promise.all(workers.map((worker) => worker.close()));
  }
}

function* familiesOf(candidates: Candidates, lane: LocalLane): Generator<CandidateFamily<Candidate>> {
  for (const group of candidates.groups()) yield lane.family(group);
}

function hasMoreThan(candidates: Candidates, most: number): boolean {
  let count = 0;
  for (const { microbatches, layouts } of candidates.groups())
    if ((count += microbatches.length * layouts.length) > most) return true;
  return false;
}
