/**
 * Finds the plans of a task: every mesh and count of microbatches, those that do not fit in memory set aside, the rest
 * ranked by simulated step time. What simulates is given by the caller.
 */
import { MeshwrightError } from '../errors.js';
import type { FittedPlan, Job, Plan, PlanOptionName, Task } from '../job/index.js';
import {
  DEFAULT_PLAN,
  checkPlan,
  fitPlan,
  formatPlan,
  microbatchChoices,
  planOptionText,
  refused,
} from '../job/index.js';
import type { Mesh } from '../mesh/index.js';
import { axisSize, createMesh, formatMesh } from '../mesh/index.js';
import type { Bytes } from '../units.js';
import { formatBytes } from '../units.js';
import { explain, nameBeside } from './explain.js';
import type { PlanFigures } from './explain.js';

/** What the planner needs of an executor: memory first, since it is cheap and rejects most plans. */
export interface Scorer<Figures extends PlanFigures> {
  memory(job: Job): { readonly bytes: Bytes; readonly capacity: Bytes };
  simulate(job: Job): Figures;
}

/** Values that a dimension of the search may take; absent means all. */
export interface SearchSpace {
  /** Stages that every mesh has; 1 unless given. */
  readonly pipe?: number;
  /** Copies that every mesh has; 1 unless given. */
  readonly replica?: number;
  /** Chips that share the tokens of a sequence in every mesh; 1 unless given. */
  readonly sequence?: number;
  readonly data?: readonly number[];
  readonly model?: readonly number[];
  readonly microbatches?: readonly number[];
  /** A wish for every plan, whose mesh and microbatches are its own; what has no effect on a mesh is left out of its
   * plans. */
  readonly options?: Partial<Plan>;
  /**
   * How many counts of microbatches are tried for each mesh, from the fewest that fit. Unless given 3; with stages all that
   * fill them, since more make the bubble smaller and each of them slower.
   */
  readonly microbatchesPerMesh?: number;
}

export interface RankedPlan<Figures extends PlanFigures> {
  readonly rank: number;
  readonly job: Job;
  readonly figures: Figures;
  /** One sentence: what it spends its time on, and why it beats the next plan. */
  readonly why: string;
}

export interface Rejected {
  readonly plan: Plan;
  readonly reason: 'does-not-divide' | 'does-not-fit';
  readonly detail: string;
}

export interface PlanSearch<Figures extends PlanFigures> {
  readonly ranked: readonly RankedPlan<Figures>[];
  readonly rejected: readonly Rejected[];
  readonly candidates: number;
}

const allowed = (value: number, choices: readonly number[] | undefined): boolean =>
  choices === undefined || choices.includes(value);

function meshes({ chips }: Task, space: SearchSpace): Mesh[] {
  const { pipe = 1, replica = 1, sequence = 1 } = space;
  const each = chips / pipe / replica / sequence;
  if (!Number.isInteger(each)) return [];
  return Array.from({ length: each }, (_, index) => index + 1)
    .filter((model) => each % model === 0 && allowed(model, space.model) && allowed(each / model, space.data))
    .map((model) => createMesh({ pipe, replica, data: each / model, sequence, model }));
}

/**
 * The wish as each mesh can have it.
 *
 * @throws MeshwrightError PLAN_INVALID of an option that none can have
 */
function fitToMeshes(task: Task, candidates: readonly Mesh[], options: SearchSpace['options']): Plan[] {
  const wishes = candidates.map((mesh): Plan => ({ ...DEFAULT_PLAN, ...options, mesh, microbatches: 1 }));
  const fitted = wishes.map((wish) => fitPlan(task, wish));
  requireHonoured(wishes.at(-1)!, fitted);
  return fitted.map(({ plan }) => plan);
}

function requireHonoured(wish: Plan, fitted: readonly FittedPlan[]): void {
  const isLost = (name: PlanOptionName): boolean =>
    fitted.every(({ plan }) => planOptionText(name, plan[name]) !== planOptionText(name, wish[name]));
  // The reason that the mesh with the largest model axis has: most options want one.
  const refusal = fitted
    .at(-1)!
    .dropped.find(({ without }) => (Object.keys(without ?? {}) as PlanOptionName[]).some(isLost));
  if (refusal !== undefined) throw refused(refusal, wish);
}

/**
 * @param onScored called after each simulated plan
 * @throws MeshwrightError PLAN_DOES_NOT_FIT when no plan is left, naming what came closest; PLAN_INVALID or
 *   DTYPE_UNSUPPORTED of options that no plan can have
 */
export function findPlans<Figures extends PlanFigures>(
  task: Task,
  scorer: Scorer<Figures>,
  space: SearchSpace = {},
  onScored: (job: Job, figures: Figures) => void = () => undefined,
): PlanSearch<Figures> {
  const rejected: Rejected[] = [];
  const scored: { job: Job; figures: Figures }[] = [];
  const candidates = meshes(task, space);
  if (candidates.length === 0) throw noMesh(task, space);
  let closest: { plan: Plan; bytes: Bytes; capacity: Bytes } | undefined;
  for (const fitted of fitToMeshes(task, candidates, space.options)) {
    const { mesh } = fitted;
    let taken = 0;
    const divisors = microbatchChoices(task, mesh).filter((count) => allowed(count, space.microbatches));
    const filling = divisors.filter((count) => count >= axisSize(mesh, 'pipe'));
    const choices = filling.length > 0 ? filling : divisors;
    const most = space.microbatchesPerMesh ?? (axisSize(mesh, 'pipe') > 1 ? choices.length : 3);
    if (choices.length === 0) {
      const asked = space.microbatches?.join(' or ');
      rejected.push({
        plan: fitted,
        reason: 'does-not-divide',
        detail: `${formatMesh(mesh)}: a batch of ${task.batch} does not divide${asked ? ` into ${asked} microbatches` : ''}`,
      });
    }
    for (const microbatches of choices) {
      const plan: Plan = { ...fitted, microbatches };
      if (taken >= most) break;
      const job = tryPlan(task, plan, rejected);
      if (job === undefined) break;
      const { bytes, capacity } = scorer.memory(job);
      if (bytes > capacity) {
        rejected.push({ plan, reason: 'does-not-fit', detail: `${formatBytes(bytes)} of ${formatBytes(capacity)}` });
        if (closest === undefined || bytes < closest.bytes) closest = { plan, bytes, capacity };
        continue;
      }
      const figures = trySimulate(scorer, job, rejected);
      if (figures === undefined) break;
      taken++;
      scored.push({ job, figures });
      onScored(job, figures);
    }
  }
  if (scored.length === 0) throw nothingFits(task, rejected, closest);
  scored.sort((a, b) => a.figures.stepTimeSeconds - b.figures.stepTimeSeconds);
  const ranked = scored.map(({ job, figures }, index) => ({
    rank: index + 1,
    job,
    figures,
    why: explain(
      figures,
      scored[index + 1] && {
        plan: nameBeside(job.plan, scored[index + 1]!.job.plan),
        figures: scored[index + 1]!.figures,
      },
    ),
  }));
  return { ranked, rejected, candidates: scored.length + rejected.length };
}

/** The job, or nothing where the plan does not divide: then neither do more microbatches. */
function tryPlan(task: Task, plan: Plan, rejected: Rejected[]): Job | undefined {
  try {
    return checkPlan(task, plan);
  } catch (error) {
    if (!(error instanceof MeshwrightError) || error.code !== 'PLAN_DOES_NOT_DIVIDE') throw error;
    rejected.push({
      plan,
      reason: 'does-not-divide',
      detail: `${formatMesh(plan.mesh)}: ${error.detail.expected.replace('a size that divides ', '')} do not divide`,
    });
    return undefined;
  }
}

/** The figures, or nothing where the mesh does not lie on the machine as the plan wants it; then none of its plans do. */
function trySimulate<Figures extends PlanFigures>(
  scorer: Scorer<Figures>,
  job: Job,
  rejected: Rejected[],
): Figures | undefined {
  try {
    return scorer.simulate(job);
  } catch (error) {
    if (!(error instanceof MeshwrightError) || error.code !== 'MESH_DOES_NOT_MULTIPLY') throw error;
    const { place, expected, got } = error.detail;
    const detail = `${formatMesh(job.plan.mesh)}: ${place} is to be ${expected}, but is ${got}`;
    rejected.push({ plan: job.plan, reason: 'does-not-divide', detail });
    return undefined;
  }
}

function noMesh({ chips }: Task, { pipe, replica, data, sequence, model }: SearchSpace): MeshwrightError {
  const asked = [
    pipe && `pipe=${pipe}`,
    replica && `replica=${replica}`,
    data && `data=${data.join(' or ')}`,
    sequence && `sequence=${sequence}`,
    model && `model=${model.join(' or ')}`,
  ].filter(Boolean);
  return new MeshwrightError('MESH_DOES_NOT_MULTIPLY', {
    place: 'plan.mesh',
    expected: `axes that multiply to ${chips} chips`,
    got: asked.join(', '),
  });
}

function nothingFits(
  task: Task,
  rejected: readonly Rejected[],
  closest: { plan: Plan; bytes: Bytes; capacity: Bytes } | undefined,
): MeshwrightError {
  const place = `plan of ${task.model.name} on ${task.chips} × ${task.hardware.name}`;
  if (closest === undefined) {
    return new MeshwrightError('PLAN_DOES_NOT_DIVIDE', {
      place,
      expected: 'a mesh that heads, widths and batch divide over',
      got: [...new Set(rejected.map(({ detail }) => detail))].slice(0, 4).join('; '),
    });
  }
  return new MeshwrightError('PLAN_DOES_NOT_FIT', {
    place,
    expected: `at most ${formatBytes(closest.capacity)} on each chip`,
    got: `${formatBytes(closest.bytes)} for the closest, ${formatPlan(closest.plan)}`,
    hint: 'use more chips, a smaller batch or chips with more memory',
  });
}
