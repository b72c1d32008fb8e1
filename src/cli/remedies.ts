/**
 * What would make a plan fit, where none of a search does: changes of the plan that came closest, each with its memory
 * counted as a step's is. Only what fits is named.
 */
import type { Job, Plan, Space, Task } from '../job/index.js';
import { SHARDS, checkPlan, fitPlan, formatPlan, microbatchChoices } from '../job/index.js';
import type { Mesh } from '../mesh/index.js';
import { axisSize, createMesh, gradientParts } from '../mesh/index.js';
import { MeshwrightError } from '../errors.js';
import { frameworkOffload } from '../planner/index.js';
import type { Bytes } from '../units.js';
import { formatBytes } from '../units.js';
import type { Assessor } from './assess.js';
import type { PlanSearch } from './plan-search.js';

export interface Remedy {
  /** What is different: `2048 chips`, `rematerialize=full`. */
  readonly change: string;
  readonly job: Job;
  readonly bytes: Bytes;
  readonly capacity: Bytes;
}

/** How often chips are doubled, and the batch halved, before that is given up. */
const MOST_DOUBLINGS = 6;

/** Nothing where the model or the machine doesn't allow it. */
function unlessRefused<T>(make: () => T): T | undefined {
  try {
    return make();
  } catch (error) {
    if (error instanceof MeshwrightError && error.code !== 'INTERNAL') return undefined;
    throw error;
  }
}

interface OptionChange {
  readonly change: string;
  readonly options: Partial<Plan>;
}

const together = (changes: readonly OptionChange[]): OptionChange => ({
  change: changes.map(({ change }) => change).join(' '),
  options: Object.assign({}, ...changes.map(({ options }) => options)) as Partial<Plan>,
});

/** The options that save most memory, one by one and together. */
function optionChanges({ plan }: Job): OptionChange[] {
  const saving: OptionChange[] = [
    ...(plan.rematerialize === 'full'
      ? []
      : [{ change: 'rematerialize=full', options: { rematerialize: 'full' as const } }]),
    ...(plan.shard === 'parameters' || gradientParts(plan.mesh) === 1
      ? []
      : SHARDS.slice(SHARDS.indexOf(plan.shard) + 1).map((shard) => ({
          change: `shard=${shard}`,
          options: { shard },
        }))),
    ...(axisSize(plan.mesh, 'model') > 1 && plan.activations === 'replicated'
      ? [{ change: 'activations=sequence', options: { activations: 'sequence' as const } }]
      : []),
  ];
  const strongest = saving.filter(({ change }) => change !== 'shard=optimizer' && change !== 'shard=gradients');
  return strongest.length > 1 ? [...saving, together(strongest)] : saving;
}

/** What the memory of hosts saves, alone and with all else: it costs most time. */
function offloadChanges({ plan, hardware }: Job, strongest: OptionChange | undefined): OptionChange[] {
  if (plan.optimizerOffload !== 'none' || hardware.host === undefined) return [];
  const optimizerOffload = frameworkOffload(hardware);
  const change = { change: `optimizer-offload=${optimizerOffload}`, options: { optimizerOffload } };
  return strongest === undefined ? [change] : [change, together([strongest, change])];
}

const sizesOf = ({ axes }: Mesh): Parameters<typeof createMesh>[0] =>
  Object.fromEntries(axes.map(({ name, size }) => [name, size]));

/** The mesh on so many times the chips, each axis grown in turn. */
const grown = (mesh: Mesh, times: number): Mesh[] =>
  (['model', 'pipe', 'data'] as const).map((axis) =>
    createMesh({ ...sizesOf(mesh), [axis]: axisSize(mesh, axis) * times }),
  );

/**
 * The mildest change of each kind that fits: an option, more chips, a smaller batch, less headroom.
 *
 * @param closest the plan that needs least memory of those that were tried
 */
export function remediesFor(assessor: Assessor, closest: Job, space: Space): Remedy[] {
  const { plan, ...task } = closest;
  const headroom = space.headroom ?? 0;
  /** With the fewest microbatches that fit; more never need more memory. */
  const needs = (of: Task, wish: Plan, share = headroom): Omit<Remedy, 'change'> | undefined =>
    unlessRefused(() => {
      const { plan: fitted } = fitPlan(of, wish);
      const counts = microbatchChoices(of, fitted.mesh);
      const at = (index: number): Omit<Remedy, 'change'> | undefined => {
        const job = checkPlan(of, { ...fitted, microbatches: counts[index]! });
        const { bytes, capacity } = assessor.memory(job);
        return bytes <= capacity * (1 - share) ? { job, bytes, capacity } : undefined;
      };
      let best = counts.length === 0 ? undefined : at(counts.length - 1);
      let [tooFew, enough] = [-1, counts.length - 1];
      while (best !== undefined && enough - tooFew > 1) {
        const middle = Math.floor((tooFew + enough) / 2);
        const fitting = at(middle);
        if (fitting === undefined) tooFew = middle;
        else [enough, best] = [middle, fitting];
      }
      return best;
    });
  const found: Remedy[] = [];
  const add = (change: string, fitting: Omit<Remedy, 'change'> | undefined): boolean => {
    if (fitting !== undefined) found.push({ change, ...fitting });
    return fitting !== undefined;
  };
  const changes = optionChanges(closest);
  const last = changes.at(-1);
  [{ change: 'more microbatches', options: {} }, ...changes, ...offloadChanges(closest, last)].some(
    ({ change, options }) => add(change, needs(task, { ...plan, ...options })),
  );
  const strongest = last?.options ?? {};
  doublings().some((times) => {
    const of = { ...task, chips: task.chips * times };
    const fits = (options: Partial<Plan>): Omit<Remedy, 'change'> | undefined =>
      firstOf(grown(plan.mesh, times), (mesh) => needs(of, { ...plan, mesh, ...options }));
    return add(`${of.chips.toLocaleString('en-US')} chips`, fits({}) ?? fits(strongest));
  });
  doublings().some((times) => {
    const batch = task.batch / times;
    if (!Number.isInteger(batch)) return false;
    return add(`a batch of ${batch.toLocaleString('en-US')}`, needs({ ...task, batch }, plan));
  });
  if (headroom > 0) add('no headroom', needs(task, plan, 0));
  return found;
}

const doublings = (): number[] => Array.from({ length: MOST_DOUBLINGS }, (_, index) => 2 ** (index + 1));

function firstOf<T, R>(values: readonly T[], find: (value: T) => R | undefined): R | undefined {
  for (const value of values) {
    const found = find(value);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** What is wrong, what came closest, and what would fit. */
function nothingFits(closest: NonNullable<PlanSearch['closest']>, remedies: readonly Remedy[]): MeshwrightError {
  const { job, bytes, capacity } = closest;
  const fitting = remedies.map(
    ({ change, job: { plan }, bytes: needed }) => `${change} (${formatBytes(needed)}: ${formatPlan(plan)})`,
  );
  return new MeshwrightError('PLAN_DOES_NOT_FIT', {
    place: `plan of ${job.model.name} on ${job.chips} × ${job.hardware.name}`,
    expected: `at most ${formatBytes(capacity)} on each chip`,
    got: `${formatBytes(bytes)} for the closest, ${formatPlan(job.plan)}`,
    hint:
      fitting.length === 0
        ? 'neither 64 times the chips nor a 64th of the batch would fit: use chips with more memory'
        : `what would fit: ${fitting.join('; ')}`,
  });
}

/** What is wrong where a search found no plan: nothing fits, or nothing divides. */
export function nothingFound(
  { closest, refused }: Pick<PlanSearch, 'closest' | 'refused'>,
  assessor: Assessor,
  task: Task,
  space: Space,
): MeshwrightError {
  if (closest !== undefined) return nothingFits(closest, remediesFor(assessor, closest.job, space));
  return new MeshwrightError('PLAN_DOES_NOT_DIVIDE', {
    place: `plan of ${task.model.name} on ${task.chips} × ${task.hardware.name}`,
    expected: 'a mesh that heads, widths, layers and batch divide over',
    got: [...refused.keys()].slice(0, 4).join('; '),
  });
}
