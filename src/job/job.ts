/** A job: model, hardware, batch and plan, checked and with every default filled in. */
import { MeshwrightError } from '../errors.js';
import type { Hardware } from '../hardware/index.js';
import { listHardware, loadHardware } from '../hardware/index.js';
import type { Mesh } from '../mesh/index.js';
import { MESH_AXES, batchParts, createMesh, formatMesh, rankCount, stageMesh } from '../mesh/index.js';
import type { ModelConfig } from '../models/index.js';
import { checkModelPlan, forward } from '../models/index.js';
import type { FloatType, OptimizerConfig } from '../program/index.js';
import { chooseShards, DEFAULT_ADAMW } from '../program/index.js';
import { fewestChunks } from '../program/schedules/index.js';
import type { FamilyName } from '../runtime/kernels/families.js';
import { DEFAULT_FAMILY } from '../runtime/kernels/families.js';
import type { PlanSubject, Precision, Refusal, ShardedTensor } from './check-options.js';
import { refusalOf, refused } from './check-options.js';
import { MOST_CHIPS } from './limits.js';
import { resolveModel } from './model.js';
import type { Plan } from './plan-options.js';
import { planPlace } from './plan-options.js';
import { DEFAULT_PLAN, optionsOf } from './plan.js';
import type { CheckpointInput, JobInput, ModelInput } from './schema.js';
import { shardOptions } from './shard.js';
import { isPipeline, layersOfStages } from './stages.js';
import type { Tensor } from './unsharded.js';
import { parameterTensors } from './unsharded.js';

/** When checkpoints are written besides after the last step. */
export interface CheckpointSettings {
  readonly everySteps?: number;
  readonly everySeconds?: number;
  /** Of a run's checkpoints the last so many stay; 0: none is written. */
  readonly keep: number;
}

/** Beyond what a run's own writing of one takes, by far, and what most would mind to lose. */
const SECONDS_BETWEEN_CHECKPOINTS = 300;
/** One more than is needed, should the newest be lost. */
const KEPT_CHECKPOINTS = 2;

function resolveCheckpoint({
  everySteps,
  everySeconds,
  keep = KEPT_CHECKPOINTS,
}: CheckpointInput = {}): CheckpointSettings {
  if (everySteps === undefined) return { everySeconds: everySeconds ?? SECONDS_BETWEEN_CHECKPOINTS, keep };
  return { everySteps, ...(everySeconds === undefined ? {} : { everySeconds }), keep };
}

/** Being looked at takes a step up to some 4 % longer (docs/metrics.md): in one of ten, less than steps vary. */
const DEFAULT_MONITOR = 10;

export interface Training {
  readonly images?: string;
  readonly text?: string;
  readonly steps?: number;
  readonly epochs: number;
  readonly seed: number;
  readonly family: FamilyName;
  readonly threadsPerRank: number;
  readonly loaderWorkers: number;
  /** Steps between two that measure the gradients' norm and the largest attention logit, from the first on; 0 is never. */
  readonly monitor: number;
  readonly learningRate: number;
  readonly warmupSteps: number;
  readonly cooldownSteps: number;
  readonly checkpoint: CheckpointSettings;
}

/** A job whose plan is still to be chosen. */
export interface Task {
  readonly model: ModelConfig;
  /** As given: a preset's name, or a preset with changes. */
  readonly modelInput: string | ModelInput;
  readonly hardware: Hardware;
  /** As given: a profile's name or path. */
  readonly hardwareName: string;
  readonly chips: number;
  /** Examples a step over all chips: images, or sequences of tokens. */
  readonly batch: number;
  readonly optimizer: OptimizerConfig;
  readonly training: Training;
}

export interface Job extends Task {
  readonly plan: Plan;
  /** The plan's types, all of them known. */
  readonly precision: Precision;
}

const missing = (place: string, expected: string, hint: string): MeshwrightError =>
  new MeshwrightError('JOB_INVALID', { place, expected, got: 'nothing', hint });

function resolveOptimizer(input: JobInput['optimizer']): OptimizerConfig {
  const weightDecay = input?.weightDecay ?? DEFAULT_ADAMW.weightDecay;
  const classifierWeightDecay = input?.classifierWeightDecay ?? weightDecay;
  const decay = { weightDecay, classifierWeightDecay, ...(input?.decayed === 'all' ? { decayed: input.decayed } : {}) };
  if (input?.kind === 'sgd') return { kind: 'sgd', momentum: input.momentum ?? 0.9, ...decay };
  const { beta1 = DEFAULT_ADAMW.beta1, beta2 = DEFAULT_ADAMW.beta2, epsilon = DEFAULT_ADAMW.epsilon } = input ?? {};
  return { kind: 'adamw', beta1, beta2, epsilon, ...decay };
}

/**
 * Everything but the plan.
 *
 * @param load where profiles come from
 * @throws MeshwrightError JOB_INVALID, MODEL_UNKNOWN, FIELD_UNKNOWN, HARDWARE_UNKNOWN and those of reading a profile
 */
export function resolveTask(input: JobInput, load: (name: string) => Hardware = loadHardware): Task {
  if (input.model === undefined) throw missing('model', 'a model', 'give --model NAME; `meshwright models` lists them');
  if (input.hardware === undefined)
    throw missing('hardware', 'a profile', 'give --hardware NAME; `meshwright hardware` lists them');
  const model = resolveModel(input.model);
  const hardware = load(input.hardware);
  const chips = input.chips ?? meshChips(input) ?? 1;
  if (chips > MOST_CHIPS) {
    throw new MeshwrightError('JOB_INVALID', { place: 'chips', expected: `at most ${MOST_CHIPS}`, got: String(chips) });
  }
  const { training, optimizer } = input;
  return {
    model,
    modelInput: input.model,
    hardware,
    hardwareName: input.hardware,
    chips,
    batch: input.batch ?? 64,
    optimizer: resolveOptimizer(optimizer),
    training: {
      ...(training?.images === undefined ? {} : { images: training.images }),
      ...(training?.text === undefined ? {} : { text: training.text }),
      ...(training?.steps === undefined ? {} : { steps: training.steps }),
      epochs: training?.epochs ?? 1,
      seed: training?.seed ?? 0,
      family: training?.family ?? DEFAULT_FAMILY,
      threadsPerRank: training?.threadsPerRank ?? 1,
      loaderWorkers: training?.loaderWorkers ?? 1,
      monitor: training?.monitor ?? DEFAULT_MONITOR,
      learningRate: optimizer?.learningRate ?? 1e-3,
      warmupSteps: optimizer?.warmupSteps ?? 0,
      cooldownSteps: optimizer?.cooldownSteps ?? 0,
      checkpoint: resolveCheckpoint(training?.checkpoint),
    },
  };
}

const meshChips = ({ plan }: JobInput): number | undefined =>
  plan?.mesh && MESH_AXES.reduce((product, name) => product * (plan.mesh?.[name] ?? 1), 1);

/** @throws MeshwrightError DTYPE_UNSUPPORTED of a compute type that the hardware lacks */
function resolvePrecision({ hardware }: Task, plan: Plan): Precision {
  const compute = plan.compute ?? hardware.defaultDtype;
  if (!(compute in hardware.chip.matmul)) {
    throw new MeshwrightError('DTYPE_UNSUPPORTED', {
      place: planPlace('compute'),
      expected: `a type that ${hardware.name} computes in: ${Object.keys(hardware.chip.matmul).join(', ')}`,
      got: compute,
      hint: hardwareWith(compute),
    });
  }
  const parameters = plan.parameters ?? defaultParameterType(compute);
  const { gradients = parameters, gradientReduction: reduction } = plan;
  return {
    compute,
    parameters,
    gradients,
    ...(reduction === undefined || reduction === gradients ? {} : { gradientReduction: reduction }),
    optimizer: plan.optimizerState ?? parameters,
  };
}

/** The shipped profiles that have a type. */
function hardwareWith(compute: FloatType): string {
  const found = listHardware().filter((name) => compute in loadHardware(name).chip.matmul);
  return found.length === 0
    ? 'no shipped profile has it'
    : `${found.join(', ')} ${found.length === 1 ? 'has' : 'have'} it`;
}

const defaultParameterType = (compute: FloatType): FloatType => (compute === 'f64' ? 'f64' : 'f32');

/** What is as usual is left out, so that a plan is written in one way. */
export function asUsual(plan: Plan, { hardware }: Task, precision: Precision): Plan {
  const { compute, parameters, gradients, gradientReduction, optimizerState, ...rest } = plan;
  return {
    ...rest,
    ...(plan.virtualStages === fewestChunks(plan.schedule) ? { virtualStages: 'fewest' as const } : {}),
    ...(compute === undefined || compute === hardware.defaultDtype ? {} : { compute }),
    ...(parameters === undefined || parameters === defaultParameterType(precision.compute) ? {} : { parameters }),
    ...(gradients === undefined || gradients === precision.parameters ? {} : { gradients }),
    ...(gradientReduction === undefined || gradientReduction === precision.gradients ? {} : { gradientReduction }),
    ...(optimizerState === undefined || optimizerState === precision.parameters ? {} : { optimizerState }),
  };
}

const subjectOf = (task: Task, plan: Plan, precision: Precision): PlanSubject => ({
  plan,
  precision,
  hardware: task.hardware,
  depth: task.model.depth,
  stageLayers: () => layersOfStages(task.model, plan),
  tensors: () => parameterTensors(task.model),
  shards: () => shardedTensors(task, plan),
});

/** Nothing where the model does not divide over the mesh. */
function shardedTensors({ model, batch }: Task, plan: Plan): ShardedTensor[] | undefined {
  const { microbatches, activations } = plan;
  const mesh = stageMesh(plan.mesh);
  const shard = shardOptions(model, plan);
  const microbatch = batch / microbatches;
  if (shard === undefined || !divides(model, mesh, microbatch, activations)) return undefined;
  const types = { parameterType: 'f32', computeType: 'f32' } as const;
  const options = { mesh, batch: microbatch, lossDivisor: 1, activations, output: 'loss' as const, ...types };
  const program = forward(model, options);
  const stacked = new Set(
    program.inputs.flatMap((input) =>
      input.kind === 'parameter' && program.values[input.value]!.type.stack !== undefined ? [input.name] : [],
    ),
  );
  return [...chooseShards(program, shard)].map(([name, cuts]) => ({
    axes: cuts.map(({ axis }) => axis),
    inLayers: stacked.has(name),
  }));
}

function divides(...[model, mesh, microbatch, activations]: Parameters<typeof checkModelPlan>): boolean {
  try {
    checkModelPlan(model, mesh, microbatch, activations);
    return Number.isInteger(microbatch);
  } catch (error) {
    if (error instanceof MeshwrightError && error.code === 'PLAN_DOES_NOT_DIVIDE') return false;
    throw error;
  }
}

/**
 * Checks a plan against its task.
 *
 * @throws MeshwrightError MESH_DOES_NOT_MULTIPLY, PLAN_DOES_NOT_DIVIDE, DTYPE_UNSUPPORTED, or PLAN_INVALID of an option
 *   that the plan can't honour
 */
export function checkPlan(task: Task, plan: Plan): Job {
  const { chips, batch, model } = task;
  const { mesh, microbatches } = plan;
  if (rankCount(mesh) !== chips) {
    throw new MeshwrightError('MESH_DOES_NOT_MULTIPLY', {
      place: 'plan.mesh',
      expected: `axes that multiply to ${chips} chips`,
      got: `${formatMesh(mesh)}, which is ${rankCount(mesh)}`,
    });
  }
  const subject = subjectOf(task, plan, resolvePrecision(task, plan));
  const refusal = refusalOf(subject);
  if (refusal !== undefined) throw refused(refusal, plan);
  if (batch % microbatches !== 0) {
    throw new MeshwrightError('PLAN_DOES_NOT_DIVIDE', {
      place: 'plan.microbatches',
      expected: `a count that divides the batch of ${batch}`,
      got: String(microbatches),
    });
  }
  checkModelPlan(model, mesh, batch / microbatches, plan.activations);
  const { precision } = subject;
  return { ...task, plan: asUsual(plan, task, precision), precision };
}

/** A wish for many plans as one of them can have it. */
export interface FittedPlan {
  readonly plan: Plan;
  /** What was left out since it has no effect on this plan. */
  readonly dropped: readonly Refusal[];
  readonly precision: Precision;
  /** What is wrong with the plan with any value of an option; absent where the plan can be had. */
  readonly refusal?: Refusal;
}

/** The rules of a task's plans, for many of them: what they ask of the model is found out once. */
export class PlanRules {
  readonly #task: Task;
  readonly #tensors: () => readonly Tensor[];
  readonly #shards = new Map<string, readonly ShardedTensor[] | undefined>();
  /** By what a plan says of types. */
  readonly #precisions = new Map<string, Precision>();

  constructor(task: Task) {
    this.#task = task;
    let tensors: readonly Tensor[] | undefined;
    this.#tensors = () => (tensors ??= parameterTensors(task.model));
  }

  #subject(plan: Plan): PlanSubject {
    const subject = subjectOf(this.#task, plan, this.#precisionOf(plan));
    return { ...subject, tensors: this.#tensors, shards: () => this.#shardsOf(plan) };
  }

  #precisionOf(plan: Plan): Precision {
    const { compute, parameters, gradients, gradientReduction, optimizerState } = plan;
    const key = `${compute} ${parameters} ${gradients} ${gradientReduction} ${optimizerState}`;
    let found = this.#precisions.get(key);
    if (found === undefined) this.#precisions.set(key, (found = resolvePrecision(this.#task, plan)));
    return found;
  }

  #shardsOf(plan: Plan): readonly ShardedTensor[] | undefined {
    const { activations, shard, shardAxes, shardTensors, shardMinimum } = plan;
    const microbatch = this.#task.batch / plan.microbatches;
    const what = [stageMesh(plan.mesh).axes, activations, shard !== 'none', shardAxes, shardTensors, shardMinimum];
    const key = JSON.stringify([...what, microbatch % batchParts(plan.mesh) === 0]);
    let found = this.#shards.get(key);
    if (found === undefined && !this.#shards.has(key))
      this.#shards.set(key, (found = shardedTensors(this.#task, plan)));
    return found;
  }

  /**
   * Leaves out what has no effect: options of a search are a wish for all its plans, and not each can have them.
   *
   * @throws MeshwrightError DTYPE_UNSUPPORTED
   */
  fit(wish: Plan): FittedPlan {
    const dropped: Refusal[] = [];
    let plan = wish;
    for (;;) {
      const subject = this.#subject(plan);
      const refusal = refusalOf(subject);
      const { precision } = subject;
      if (refusal === undefined) return { plan, dropped, precision };
      if (refusal.without === undefined) return { plan, dropped, precision, refusal };
      dropped.push(refusal);
      plan = { ...plan, ...refusal.without };
    }
  }

  /** What of the model or the batch a mesh doesn't divide; nothing where it divides all. */
  undivided({ mesh, microbatches, activations }: Plan): MeshwrightError | undefined {
    const { model, batch } = this.#task;
    try {
      checkModelPlan(model, mesh, batch / microbatches, activations);
      return undefined;
    } catch (error) {
      if (error instanceof MeshwrightError && error.code === 'PLAN_DOES_NOT_DIVIDE') return error;
      throw error;
    }
  }
}

/**
 * Leaves out what has no effect, as `PlanRules.fit`.
 *
 * @throws MeshwrightError PLAN_INVALID of an option that is wrong for every plan of the task
 */
export function fitPlan(task: Task, wish: Plan): FittedPlan {
  const fitted = new PlanRules(task).fit(wish);
  if (fitted.refusal !== undefined) throw refused(fitted.refusal, fitted.plan);
  return fitted;
}

/** The counts of microbatches that a mesh allows: the divisors of the examples of a rank, fewest first. */
export function microbatchChoices({ batch }: Task, mesh: Mesh): number[] {
  const perRank = batch / batchParts(mesh);
  if (!Number.isInteger(perRank)) return [];
  const low: number[] = [];
  const high: number[] = [];
  for (let count = 1; count * count <= perRank; count++) {
    if (perRank % count !== 0) continue;
    low.push(count);
    if (count * count !== perRank) high.unshift(perRank / count);
  }
  return [...low, ...high];
}

/**
 * A whole job. Without a count of microbatches the fewest that fit are taken; where none fits, one.
 *
 * @param fits whether a job's step fits the chip's memory; more microbatches never need more of it
 */
export function resolveJob(input: JobInput, fits: (job: Job) => boolean): Job {
  const task = resolveTask(input);
  const { mesh = createMesh({ data: task.chips }), microbatches, ...rest } = optionsOf(input.plan ?? {});
  if (microbatches === undefined && isPipeline({ mesh }))
    throw missing(
      'plan.microbatches',
      'a count, since the bubble of a pipeline hangs on it',
      'give some times as many as there are stages',
    );
  const jobOf = (count: number): Job => checkPlan(task, { mesh, microbatches: count, ...DEFAULT_PLAN, ...rest });
  if (microbatches !== undefined) return jobOf(microbatches);
  const whole = jobOf(1);
  const choices = microbatchChoices(task, mesh);
  if (fits(whole) || !fits(jobOf(choices.at(-1)!))) return whole;
  let [most, fewest] = [0, choices.length - 1];
  while (fewest - most > 1) {
    const middle = Math.floor((most + fewest) / 2);
    if (fits(jobOf(choices[middle]!))) fewest = middle;
    else most = middle;
  }
  return jobOf(choices[fewest]!);
}
