/** A search for plans on a thread of its own, so that the UI never waits for it. */
import type { MessagePort } from 'node:worker_threads';
import { MeshwrightError } from '../errors.js';
import type { ErrorCode, ErrorDetail } from '../errors.js';
import { formatPlan } from '../job/index.js';
import type { SearchCounts } from '../planner/index.js';
import { fasterBy } from '../planner/index.js';
import type { PlanRow, SearchProgress, SearchWish, TaskChoice } from '../tui/services.js';
import { Assessor } from './assess.js';
import { profileOfTraining } from './machine-profile.js';
import { costWords, planCost } from './plan-cost.js';
import type { FoundPlan, PredictedPlan } from './plan-report.js';
import { predictedPlan, whyOf } from './plan-report.js';
import { searchPlans } from './plan-search.js';
import { spread } from './plan-view.js';
import { nothingFound } from './remedies.js';
import { searchOf } from './search-dimensions.js';
import { partsOfStep } from './simulation-view.js';
import { bytes, formatBytes } from '../units.js';

export interface SearchRequest {
  readonly task: TaskChoice;
  readonly wish: SearchWish;
  /** Gets a `SearchProgress` at first, and whenever more plans were simulated. */
  readonly port: MessagePort;
  /** As many as there are cores unless given. */
  readonly threads?: number;
}

function costOf(found: FoundPlan): Pick<PlanRow, 'cost'> {
  const { dollarsPerUnit, unit } = planCost(found);
  if (dollarsPerUnit === null) return {};
  const short = unit.replace('million', 'M').replace('billion', 'B');
  return { cost: { dollars: dollarsPerUnit, unit: short, words: costWords(found)! } };
}

function rowOf(found: PredictedPlan, rank: number | null, why: string, chosen: string): PlanRow {
  const { job, figures } = found;
  const runsHere = job.hardware.topology.kind === 'shared-memory';
  return {
    rank,
    label: formatPlan(job.plan),
    stepTimeSeconds: figures.stepTimeSeconds,
    stepTimeInterval: figures.stepTimeInterval,
    mfu: figures.mfu,
    mfuInterval: figures.mfuInterval,
    hfu: figures.hfu,
    peakMemoryBytesPerChip: figures.peakMemoryBytesPerChip,
    memoryBytesPerChip: figures.memoryCapacityBytesPerChip,
    usableMemoryBytesPerChip: figures.memoryCapacityBytesPerChip - figures.reservedMemoryBytesPerChip,
    memoryBytesByRole: Object.fromEntries(
      Object.entries(figures.memoryBytesByRole).map(([role, size]) => [role, size ?? 0]),
    ),
    timeByPart: Object.fromEntries(partsOfStep(figures)),
    exposedCommunicationSeconds: figures.exposedCommunicationSeconds,
    hiddenCommunicationSeconds: figures.hiddenCommunicationSeconds,
    ...costOf(found),
    why,
    runsHere,
    ...(runsHere && profileOfTraining(chosen, job) === undefined ? { measuresFirst: true } : {}),
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

/** Of the best plans; of those that need less memory, fewer. */
const ROWS = 10;
const FRUGAL_ROWS = 6;

/** Intervals of a plan cost simulations, and most of those shown are shown again. */
class Shown {
  readonly #chosen: string;
  readonly #assessor = new Assessor({ unverified: true });
  readonly #plans = new Map<string, PredictedPlan>();

  /** @param chosen the hardware, by its name */
  constructor(chosen: string) {
    this.#chosen = chosen;
  }

  row(found: FoundPlan, rank: number | null, why: string): PlanRow {
    const label = formatPlan(found.job.plan);
    let plan = this.#plans.get(label);
    if (plan === undefined) this.#plans.set(label, (plan = predictedPlan(this.#assessor, found)));
    return rowOf(plan, rank, why, this.#chosen);
  }
}

const rankedRows = (best: readonly FoundPlan[], shown: Shown): PlanRow[] =>
  best.slice(0, ROWS).map((found, index) => shown.row(found, index + 1, whyOf(found, best[index + 1])));

const NONE: SearchCounts = { candidates: 0, simulated: 0, doNotFit: 0, boundedOut: 0 };

/** What the fastest gives for its speed. */
function whyFrugal(found: FoundPlan, fastest: FoundPlan): string {
  const saved = fastest.figures.peakMemoryBytesPerChip - found.figures.peakMemoryBytesPerChip;
  const ratio = found.figures.stepTimeSeconds / fastest.figures.stepTimeSeconds;
  return `${whyOf(found, undefined)} Needs ${formatBytes(bytes(saved))} less memory than the fastest, which is ${fasterBy(ratio)}.`;
}

/** Plans that are slower than the best, and than no other that needs as little memory. */
function frugalRows(best: readonly FoundPlan[], front: readonly FoundPlan[], shown: Shown): PlanRow[] {
  const ranked = new Set(best.slice(0, ROWS).map(({ job }) => formatPlan(job.plan)));
  const others = front.filter(({ job }) => !ranked.has(formatPlan(job.plan)));
  return spread(others, FRUGAL_ROWS).map((found) => shown.row(found, null, whyFrugal(found, best[0]!)));
}

async function searchForUi({ task: choice, wish, port, threads }: SearchRequest): Promise<SearchProgress> {
  const { task, space, dimensions } = searchOf(choice, wish);
  const tell = (plans: readonly PlanRow[], counts: SearchCounts): void =>
    port.postMessage({ plans, counts, dimensions, done: false } satisfies SearchProgress);
  const shown = new Shown(choice.hardware);
  tell([], NONE);
  const { best, front, counts, closest, refused } = await searchPlans(task, space, {
    top: ROWS + 1,
    ...(threads === undefined ? {} : { threads }),
    onProgress: (ranked, so) => tell(rankedRows(ranked, shown), so),
  });
  port.close();
  if (best.length === 0) throw nothingFound({ closest, refused }, new Assessor(), task, space);
  return {
    plans: [...rankedRows(best, shown), ...frugalRows(best, front, shown)],
    counts,
    dimensions,
    done: true,
  };
}
