/** What people ask before they rent: how few chips, how large a batch or a model, and what it costs elsewhere. */
import { MeshwrightError } from '../errors.js';
import type { Hardware } from '../hardware/index.js';
import type { Job, ModelInput, Task } from '../job/index.js';
import { MOST_CHIPS, resolveModel } from '../job/index.js';
import { tokensPerExample } from '../models/index.js';
import type { DecoderConfig, ModelConfig } from '../models/index.js';
import type { Seconds } from '../units.js';
import { formatDuration, seconds } from '../units.js';
import type { Cost } from './cost.js';
import { costOf } from './cost.js';
import type { PlanFigures } from './explain.js';

export interface BestPlan<Figures extends PlanFigures> {
  readonly job: Job;
  readonly figures: Figures;
}

/** The fastest plan of a task that fits; nothing where none does. */
export type FindBest<Figures extends PlanFigures> = (task: Task) => Promise<BestPlan<Figures> | undefined>;

export interface Tried<Figures extends PlanFigures> {
  readonly task: Task;
  readonly best?: BestPlan<Figures>;
}

/** A whole training with a plan. */
export interface TrainingEstimate extends Cost {
  readonly steps: number;
  readonly tokens: number;
  /** Checkpoints, interruptions and evaluation come on top, unless `slowdown` has them. */
  readonly time: Seconds;
}

/** @param slowdown time that passes for each second of steps: 1 over the goodput */
export function trainingEstimate<Figures extends PlanFigures>(
  { job, figures }: BestPlan<Figures>,
  tokens: number,
  slowdown = 1,
): TrainingEstimate {
  const steps = Math.ceil(tokens / (job.batch * tokensPerExample(job.model)));
  const time = seconds(steps * figures.stepTimeSeconds * slowdown);
  return { steps, tokens, time, ...costOf(job.hardware, job.chips, time) };
}

/**
 * Counts that batches, widths and layers are likely to divide over: 2^a and 3 · 2^a, whole nodes above one.
 *
 * @param least at least so many
 */
export function chipCounts({ topology }: Hardware, least: number): number[] {
  const unit = topology.kind === 'switch' || topology.kind === 'fully-connected' ? topology.chipsPerNode : 1;
  const counts: number[] = [];
  for (let power = 1; power <= MOST_CHIPS; power *= 2) counts.push(power, 3 * power);
  return counts
    .filter((count) => count >= least && count <= MOST_CHIPS && (count % unit === 0 || unit % count === 0))
    .sort((a, b) => a - b);
}

export interface FewestChips<Figures extends PlanFigures> {
  readonly best: BestPlan<Figures>;
  readonly training: TrainingEstimate;
  /** Counts that were too few, each with its fastest plan if one fits. */
  readonly tooFew: readonly Tried<Figures>[];
}

/**
 * The least of `chipCounts` whose fastest plan is done in time. Counts that would have to compute faster than the peak are
 * not tried.
 *
 * @param modelFlops of a step
 * @throws MeshwrightError JOB_INVALID where no count is enough, with the fastest that was found
 */
export async function fewestChips<Figures extends PlanFigures>(
  task: Task,
  {
    tokens,
    within,
    slowdown = 1,
    modelFlops,
  }: {
    readonly tokens: number;
    readonly within: Seconds;
    readonly slowdown?: number;
    readonly modelFlops: number;
  },
  find: FindBest<Figures>,
): Promise<FewestChips<Figures>> {
  const { hardware, batch, model } = task;
  const peak = hardware.chip.matmul[hardware.defaultDtype]!.peak;
  const steps = Math.ceil(tokens / (batch * tokensPerExample(model)));
  const least = Math.ceil((steps * modelFlops * slowdown) / (peak * within));
  const tooFew: Tried<Figures>[] = [];
  let fastest = Number.POSITIVE_INFINITY;
  let slower = 0;
  for (const chips of chipCounts(hardware, least)) {
    const tried = { ...task, chips };
    const best = await find(tried);
    const training = best && trainingEstimate(best, tokens, slowdown);
    if (best !== undefined && training !== undefined && training.time <= within) return { best, training, tooFew };
    tooFew.push({ task: tried, ...(best === undefined ? {} : { best }) });
    // Where twice and four times the chips don't help, the batch is what limits it.
    slower = training !== undefined && training.time < fastest * 0.98 ? 0 : slower + Number(fastest < Infinity);
    fastest = Math.min(fastest, training?.time ?? Infinity);
    if (slower >= 4) break;
  }
  throw new MeshwrightError('JOB_INVALID', {
    place: '--finish-in',
    expected: `a time that is enough for ${tokens} tokens in batches of ${batch}`,
    got: formatDuration(within),
    hint:
      fastest === Infinity
        ? 'no plan fits on any number of chips'
        : `${formatDuration(seconds(fastest))} is the least that was found, with more chips no longer faster; a larger batch has room for more`,
  });
}

export interface Largest<Figures extends PlanFigures> {
  readonly best: BestPlan<Figures>;
  /** The next larger that was tried, which does not fit. */
  readonly tooLarge: Task;
}

/**
 * The largest of growing tasks that fits, where those beyond one that doesn't fit don't either: doubled until one doesn't,
 * then halved in between.
 *
 * @param at the task of a size; undefined where there is none
 * @throws MeshwrightError PLAN_DOES_NOT_FIT where the smallest does not fit
 */
async function largest<Figures extends PlanFigures>(
  at: (size: number) => Task,
  most: number,
  find: FindBest<Figures>,
  what: string,
): Promise<Largest<Figures>> {
  let low = 0;
  let best: BestPlan<Figures> | undefined;
  let high = 1;
  for (; high <= most; high *= 2) {
    const found = await find(at(high));
    if (found === undefined) break;
    [low, best] = [high, found];
  }
  while (high - low > Math.max(1, low / 16)) {
    const middle = Math.ceil((low + high) / 2);
    const found = await find(at(middle));
    if (found === undefined) high = middle;
    else [low, best] = [middle, found];
  }
  if (best !== undefined) return { best, tooLarge: at(high) };
  const { model, chips, hardware } = at(1);
  throw new MeshwrightError('PLAN_DOES_NOT_FIT', {
    place: `largest ${what} on ${chips} × ${hardware.name}`,
    expected: 'one that fits',
    got: `none: not even ${what === 'batch' ? `a batch of ${at(1).batch}` : `${model.name} with ${model.depth} layers of ${model.width}`}`,
    hint: 'use more chips, or chips with more memory',
  });
}

const MOST_BATCH = 2 ** 24;

/**
 * The largest batch whose activations fit at once, to a sixteenth: `find` is to search plans with one microbatch, since any
 * batch fits in enough of them. In multiples of the chips, so that it divides over `data`.
 */
export const largestBatch = <Figures extends PlanFigures>(
  task: Task,
  find: FindBest<Figures>,
): Promise<Largest<Figures>> =>
  largest((size) => ({ ...task, batch: size * task.chips }), MOST_BATCH / task.chips, find, 'batch');

/** Heads of models of all sizes are multiples of it, so that they divide over as many chips. */
const HEADS = 8;
const MOST_HEADS = 2048;

/** As many heads share one as before where they divide; multi-head and multi-query attention stay what they are. */
function keyValueHeadsOf({ heads: before, keyValueHeads }: DecoderConfig, heads: number): number {
  if (keyValueHeads === before) return heads;
  return heads % keyValueHeads === 0 ? keyValueHeads : HEADS;
}

/** Heads, key-value heads, widths and layers multiplied alike, so that the model's proportions stay. */
export function scaledModel(model: ModelConfig, size: number, of: number): Partial<ModelInput> {
  const factor = size / of;
  const heads = Math.round(model.heads * factor);
  const width = Math.round((model.width / model.heads) * heads);
  return {
    width,
    heads,
    mlpWidth: Math.round((model.mlpWidth / model.heads) * heads),
    depth: Math.max(1, Math.round(model.depth * factor)),
    ...(model.family === 'decoder' ? { keyValueHeads: keyValueHeadsOf(model, heads) } : {}),
  };
}

/** The largest model of a task's proportions that fits, to a sixteenth of its heads (or to eight of them). */
export function largestModel<Figures extends PlanFigures>(
  task: Task,
  find: FindBest<Figures>,
): Promise<Largest<Figures>> {
  const base = task.modelInput;
  const input: ModelInput = typeof base === 'string' ? { preset: base } : base;
  const at = (size: number): Task => {
    const modelInput: ModelInput = {
      ...input,
      ...scaledModel(task.model, size * HEADS, task.model.heads),
      name: `${input.name ?? input.preset}, scaled`,
    };
    return { ...task, modelInput, model: resolveModel(modelInput) };
  };
  return largest(at, MOST_HEADS / HEADS, find, 'model');
}

export interface OnHardware<Figures extends PlanFigures> {
  readonly hardware: Hardware;
  readonly chips: number;
  /** Absent where nothing fits. */
  readonly best?: BestPlan<Figures>;
  /** Of the tokens that are asked about. */
  readonly training?: TrainingEstimate;
}

/** The same training on other machines: each with its fastest plan, in the order given. */
export async function compareHardware<Figures extends PlanFigures>(
  tasks: readonly Task[],
  tokens: number,
  find: FindBest<Figures>,
): Promise<OnHardware<Figures>[]> {
  const found: OnHardware<Figures>[] = [];
  for (const task of tasks) {
    const best = await find(task);
    const { hardware, chips } = task;
    found.push({
      hardware,
      chips,
      ...(best === undefined ? {} : { best, training: trainingEstimate(best, tokens) }),
    });
  }
  return found;
}
