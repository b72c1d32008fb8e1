/** A search for plans on a thread of its own, so that the UI never waits for it. */
import type { MessagePort } from 'node:worker_threads';
import { MeshwrightError } from '../errors.js';
import type { ErrorCode, ErrorDetail } from '../errors.js';
import { formatPlan, resolveTask } from '../job/index.js';
import type { Job } from '../job/index.js';
import type { PlanRow, SearchProgress, TaskChoice } from '../tui/services.js';
import type { JobSimulation } from './assess.js';
import { Assessor } from './assess.js';
import { partsOfStep } from './simulation-view.js';
import { toJobInput } from './task-choice.js';

export interface SearchRequest {
  readonly task: TaskChoice;
  /** Gets a `SearchProgress` for every plan that is simulated. */
  readonly port: MessagePort;
}

function rowOf(job: Job, figures: JobSimulation, why: string): PlanRow {
  return {
    label: formatPlan(job.plan),
    stepTimeSeconds: figures.stepTimeSeconds,
    stepTimeInterval: figures.stepTimeInterval,
    mfu: figures.mfu,
    hfu: figures.hfu,
    peakMemoryBytesPerChip: figures.peakMemoryBytesPerChip,
    usableMemoryBytesPerChip: figures.memoryCapacityBytesPerChip - figures.reservedMemoryBytesPerChip,
    memoryBytesByRole: Object.fromEntries(
      Object.entries(figures.memoryBytesByRole).map(([role, size]) => [role, size ?? 0]),
    ),
    timeByPart: Object.fromEntries(partsOfStep(figures)),
    exposedCommunicationSeconds: figures.exposedCommunicationSeconds,
    hiddenCommunicationSeconds: figures.hiddenCommunicationSeconds,
    why,
    runsHere: job.hardware.topology.kind === 'shared-memory',
  };
}

/** Errors lose their class on the way between threads, so they travel as data. */
export type SearchOutcome =
  { readonly progress: SearchProgress } | { readonly code: ErrorCode; readonly detail: ErrorDetail };

export function searchPlansSafely(request: SearchRequest): SearchOutcome {
  try {
    return { progress: searchPlans(request) };
  } catch (error) {
    if (error instanceof MeshwrightError) return { code: error.code, detail: error.detail };
    throw error;
  }
}

function searchPlans({ task, port }: SearchRequest): SearchProgress {
  const soFar: PlanRow[] = [];
  const { ranked, rejected } = new Assessor().rank(resolveTask(toJobInput(task)), {}, (job, figures) => {
    soFar.push(rowOf(job, figures, ''));
    const plans = soFar.toSorted((a, b) => a.stepTimeSeconds - b.stepTimeSeconds);
    port.postMessage({ plans, rejected: 0, done: false } satisfies SearchProgress);
  });
  port.close();
  return {
    plans: ranked.map(({ job, figures, why }) => rowOf(job, figures, why)),
    rejected: rejected.length,
    done: true,
  };
}
