/** A search for plans on a thread of its own, so that the UI never waits for it. */
import type { MessagePort } from 'node:worker_threads';
import { MeshwrightError } from '../errors.js';
import type { ErrorCode, ErrorDetail } from '../errors.js';
import { formatPlan, resolveTask } from '../job/index.js';
import type { Job, Space } from '../job/index.js';
import type { PlanRow, SearchProgress, TaskChoice } from '../tui/services.js';
import type { JobSimulation } from './assess.js';
import { Assessor } from './assess.js';
import { whyOf } from './plan-report.js';
import { searchPlans } from './plan-search.js';
import { nothingFound } from './remedies.js';
import { partsOfStep } from './simulation-view.js';
import { toJobInput } from './task-choice.js';

export interface SearchRequest {
  readonly task: TaskChoice;
  /** Gets a `SearchProgress` for every plan that is simulated. */
  readonly port: MessagePort;
  /** As many as there are cores unless given. */
  readonly threads?: number;
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

export async function searchPlansSafely(request: SearchRequest): Promise<SearchOutcome> {
  try {
    return { progress: await searchForUi(request) };
  } catch (error) {
    if (error instanceof MeshwrightError) return { code: error.code, detail: error.detail };
    throw error;
  }
}

const USUAL: Space = { breadth: 'usual' };

/** Rows of the best plans, and of no others. */
const ROWS = 10;

async function searchForUi({ task: choice, port, threads }: SearchRequest): Promise<SearchProgress> {
  const task = resolveTask(toJobInput(choice));
  const { best, counts, closest, refused } = await searchPlans(task, USUAL, {
    top: ROWS + 1,
    ...(threads === undefined ? {} : { threads }),
    onProgress: (ranked, { doNotFit }) => {
      const plans = ranked.slice(0, ROWS).map(({ job, figures }) => rowOf(job, figures, ''));
      port.postMessage({ plans, rejected: doNotFit, done: false } satisfies SearchProgress);
    },
  });
  port.close();
  if (best.length === 0) throw nothingFound({ closest, refused }, new Assessor(), task, USUAL);
  return {
    plans: best.slice(0, ROWS).map((found, index) => rowOf(found.job, found.figures, whyOf(found, best[index + 1]))),
    rejected: counts.doNotFit,
    done: true,
  };
}
