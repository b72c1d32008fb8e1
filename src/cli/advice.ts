/**
 * What would make a simulated step shorter, or let it fit: changes of one option of its plan, each simulated, of which
 * only those that help are named. Not a search: `plan` is.
 */
import { TIME_CATEGORIES } from '../../sim/index.js';
import type { StepCategory, UnfoldRequest } from '../../sim/index.js';
import type { Job, Plan } from '../job/index.js';
import { SHARDS, checkPlan, fitPlan, isPipeline, formatPlan, microbatchChoices } from '../job/index.js';
import { BATCH_AXES, axisSize, createMesh } from '../mesh/index.js';
import type { Mesh } from '../mesh/index.js';
import { ACTIVATION_LAYOUTS } from '../models/index.js';
import { planDifference, unlessRefused } from '../planner/index.js';
import { LINEAR_MODES, REMATERIALIZATIONS } from '../program/index.js';
import type { ScheduleName } from '../program/schedules/index.js';
import type { Assessment, Assessor, JobSimulation } from './assess.js';
import { stackOf } from './assess.js';

/** Where a step would spend less. */
export type Saving = StepCategory | `${string} exposed`;

export interface Advice {
  /** What is different in the plan: `linears=bidirectional`. */
  readonly change: string;
  /** The whole plan in its short form. */
  readonly plan: string;
  readonly stepTimeSeconds: number;
  readonly peakMemoryBytesPerChip: number;
  /** This step's time over that one's, less 1; null where this step doesn't fit. */
  readonly faster: number | null;
  /** What shrinks most, and by how much; null where this step doesn't fit. */
  readonly saves: { readonly what: Saving; readonly seconds: number } | null;
}

/** Less is not worth a word. */
const LEAST_FASTER = 0.01;
/** Where an option can act on less of the step than this, it isn't tried. */
const LEAST_SHARE = 0.02;
/** Plans that are lowered; that takes most of a try. */
const MOST_TRIES = 8;
/** Kernels and collectives, or events, that all tries together may run; some 2 s. */
const MOST_RUNS = 1_000_000;

/** Ways to change one option: the first of them that fits is meant. */
type Change = readonly Partial<Plan>[];

const others = <T>(all: readonly T[], now: T): T[] => all.filter((one) => one !== now);

/** The counts of microbatches before and after the plan's, nearest first. */
function neighbours({ plan, ...task }: Job): { fewer: number[]; more: number[] } {
  const choices = microbatchChoices(task, plan.mesh);
  return {
    fewer: choices.filter((count) => count < plan.microbatches).reverse(),
    more: choices.filter((count) => count > plan.microbatches),
  };
}

const sizesOf = ({ axes }: Mesh): Parameters<typeof createMesh>[0] =>
  Object.fromEntries(axes.map(({ name, size }) => [name, size]));

function withModelAxis({ plan: { microbatches, mesh: now } }: Job, model: number): Change[] {
  const data = (axisSize(now, 'data') * axisSize(now, 'model')) / model;
  if (!Number.isInteger(model) || !Number.isInteger(data)) return [];
  const mesh = createMesh({ ...sizesOf(now), data, model });
  const counts = [microbatches, microbatches * 2, microbatches / 2].filter(Number.isInteger);
  return [counts.map((count) => ({ mesh, microbatches: count }))];
}

/** What may let a step fit: of each option the mildest that does. */
function towardsFitting(job: Job): Change[] {
  const { mesh, rematerialize, shard } = job.plan;
  const after = <T>(all: readonly T[], now: T): T[] => all.slice(all.indexOf(now) + 1);
  return [
    neighbours(job).more.map((microbatches) => ({ microbatches })),
    after(REMATERIALIZATIONS, rematerialize).map((one) => ({ rematerialize: one })),
    after(SHARDS, shard).map((one) => ({ shard: one })),
    ...withModelAxis(job, axisSize(mesh, 'model') * 2),
  ];
}

/** Schedules with a smaller bubble, and fewer stages. */
function againstBubble({ schedule, mesh }: Plan): Change[] {
  const pipe = axisSize(mesh, 'pipe');
  const names: readonly ScheduleName[] = ['interleaved-1f1b', 'zb-1p', 'zb-v'];
  const half: Change[] =
    pipe % 2 === 0
      ? [[{ mesh: createMesh({ ...sizesOf(mesh), pipe: pipe / 2, data: axisSize(mesh, 'data') * 2 }) }]]
      : [];
  return [...others(names, schedule).map((one): Change => [{ schedule: one, virtualStages: 'fewest' }]), ...half];
}

/** What may shorten a step, options first that act on most of it. */
function towardsSpeed(job: Job, simulation: JobSimulation): Change[] {
  const { plan } = job;
  const { stepTimeSeconds, timeByCategorySeconds: time, exposedCommunicationByAxisSeconds: exposed } = simulation;
  const model = axisSize(plan.mesh, 'model');
  const acrossBatch = BATCH_AXES.reduce((total, axis) => total + (exposed[axis] ?? 0), 0);
  const { fewer, more } = neighbours(job);
  const microbatches = (count: number | undefined): Change[] =>
    count === undefined ? [] : [[{ microbatches: count }]];
  const pipelined = isPipeline(plan);
  const recomputed = time.matmul * (1 - Math.min(1, simulation.mfu / simulation.hfu));
  const groups: { readonly actsOn: number; readonly changes: readonly Change[] }[] = [
    {
      actsOn: (exposed.model ?? 0) + time.contention,
      changes: [
        ...others(LINEAR_MODES, plan.linears).map((linears): Change => [{ linears }]),
        ...others(ACTIVATION_LAYOUTS, plan.activations).map((activations): Change => [{ activations }]),
        ...withModelAxis(job, model / 2),
      ],
    },
    {
      actsOn: acrossBatch + time.optimizer,
      changes: [
        ...others(SHARDS, plan.shard).map((shard): Change => [{ shard }]),
        [{ overlapGradients: true }],
        [{ prefetch: plan.prefetch === 'layer' ? 1 : plan.prefetch + 1 }],
        ...withModelAxis(job, model * 2),
      ],
    },
    { actsOn: pipelined ? (time.bubble ?? 0) : 0, changes: [...microbatches(more[0]), ...againstBubble(plan)] },
    {
      // Reductions beside the last backward delay the stages that wait for it.
      actsOn: pipelined && plan.overlapGradients ? (time.bubble ?? 0) + (exposed.data ?? 0) : 0,
      changes: [[{ overlapGradients: false }]],
    },
    { actsOn: time.overhead + time.memory + acrossBatch, changes: microbatches(fewer[0]) },
    { actsOn: time.idle + acrossBatch, changes: microbatches(more[0]) },
    {
      actsOn: recomputed,
      changes: [
        REMATERIALIZATIONS.slice(0, REMATERIALIZATIONS.indexOf(plan.rematerialize)).map((rematerialize) => ({
          rematerialize,
        })),
      ],
    },
  ];
  return groups
    .filter(({ actsOn }) => actsOn >= LEAST_SHARE * stepTimeSeconds)
    .sort((a, b) => b.actsOn - a.actsOn)
    .flatMap(({ changes }) => changes);
}

/** The parts of a step, communication by axis. */
function partsOf(simulation: JobSimulation): Map<Saving, number> {
  const { timeByCategorySeconds, exposedCommunicationByAxisSeconds } = simulation;
  const found = new Map<Saving, number>(
    others(TIME_CATEGORIES, 'exposedCommunication').map((category) => [category, timeByCategorySeconds[category]]),
  );
  if (timeByCategorySeconds.bubble !== undefined) found.set('bubble', timeByCategorySeconds.bubble);
  for (const [axis, value = 0] of Object.entries(exposedCommunicationByAxisSeconds))
    found.set(`${axis} exposed`, value);
  return found;
}

function largestSaving(from: JobSimulation, to: JobSimulation): NonNullable<Advice['saves']> {
  const after = partsOf(to);
  return [...partsOf(from)]
    .map(([what, value]) => ({ what, seconds: value - (after.get(what) ?? 0) }))
    .reduce((most, one) => (one.seconds > most.seconds ? one : most));
}

/**
 * Those that help most first, at most one an option. How many are tried depends on what the step runs, not on how fast
 * this machine is: few or none where that is much.
 *
 * @param unfold how `assessment` was unfolded, so that tries are
 */
export function adviceOn(
  assessor: Assessor,
  assessment: Pick<Assessment, 'job' | 'simulation'>,
  runs: number,
  unfold?: UnfoldRequest,
): Advice[] {
  const { job, simulation } = assessment;
  const { plan, ...task } = job;
  const { fits } = simulation;
  const stack = stackOf(job);
  const changes = fits ? towardsSpeed(job, simulation) : towardsFitting(job);
  const tries = Math.min(MOST_TRIES, Math.floor(MOST_RUNS / (simulation.unfolded?.events ?? runs)));
  const seen = new Set([formatPlan(plan)]);
  const firstThatFits = (change: Change): Job | undefined => {
    for (const options of change) {
      const tried = unlessRefused(() => checkPlan(task, fitPlan(task, { ...plan, ...options }).plan));
      if (tried === undefined || seen.has(formatPlan(tried.plan))) continue;
      if (seen.size > tries) return undefined;
      seen.add(formatPlan(tried.plan));
      const memory = unlessRefused(() => assessor.memory(tried));
      if (memory !== undefined && memory.bytes <= memory.capacity) return tried;
    }
    return undefined;
  };
  const found = changes.flatMap((change): Advice[] => {
    const tried = firstThatFits(change);
    const result = tried && unlessRefused(() => assessor.simulate(tried, stack, unfold));
    if (tried === undefined || result === undefined) return [];
    const faster = simulation.stepTimeSeconds / result.stepTimeSeconds - 1;
    if (fits && faster < LEAST_FASTER) return [];
    const { stepTimeSeconds, peakMemoryBytesPerChip } = result;
    return [
      {
        change: planDifference(plan, tried.plan),
        plan: formatPlan(tried.plan),
        stepTimeSeconds,
        peakMemoryBytesPerChip,
        faster: fits ? faster : null,
        saves: fits ? largestSaving(simulation, result) : null,
      },
    ];
  });
  const options = new Set<string>();
  return found
    .sort((a, b) => a.stepTimeSeconds - b.stepTimeSeconds)
    .filter(({ change }) => {
      const option = change.split('=', 1)[0]!;
      return !options.has(option) && options.add(option);
    });
}
