/** A job: model, hardware, batch and plan, checked and with every default filled in. */
import { MeshwrightError } from '../errors.js';
import type { Hardware } from '../hardware/index.js';
import { loadHardware } from '../hardware/index.js';
import type { Mesh } from '../mesh/index.js';
import { axisSize, createMesh, formatMesh, rankCount } from '../mesh/index.js';
import type { ModelConfig } from '../models/index.js';
import { checkModelPlan } from '../models/index.js';
import type { FloatType, OptimizerConfig, Rematerialization } from '../program/index.js';
import { DEFAULT_ADAMW } from '../program/index.js';
import { resolveModel } from './model.js';
import type { JobInput, ModelInput } from './schema.js';

export interface Plan {
  readonly mesh: Mesh;
  readonly microbatches: number;
  readonly rematerialize: Rematerialization;
  readonly slice?: readonly number[];
}

export interface Precision {
  readonly compute: FloatType;
  readonly parameters: FloatType;
}

export interface Training {
  readonly images?: string;
  readonly steps?: number;
  readonly epochs: number;
  readonly seed: number;
  readonly family: 'onnx' | 'reference';
  readonly threadsPerRank: number;
  readonly loaderWorkers: number;
  readonly learningRate: number;
  readonly warmupSteps: number;
  readonly cooldownSteps: number;
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
  readonly precision: Precision;
  readonly optimizer: OptimizerConfig;
  readonly training: Training;
}

export interface Job extends Task {
  readonly plan: Plan;
}

const missing = (place: string, expected: string, hint: string): MeshwrightError =>
  new MeshwrightError('JOB_INVALID', { place, expected, got: 'nothing', hint });

function resolveOptimizer(input: JobInput['optimizer']): OptimizerConfig {
  const weightDecay = input?.weightDecay ?? DEFAULT_ADAMW.weightDecay;
  const classifierWeightDecay = input?.classifierWeightDecay ?? weightDecay;
  if (input?.kind === 'sgd')
    return { kind: 'sgd', momentum: input.momentum ?? 0.9, weightDecay, classifierWeightDecay };
  const { beta1 = DEFAULT_ADAMW.beta1, beta2 = DEFAULT_ADAMW.beta2, epsilon = DEFAULT_ADAMW.epsilon } = input ?? {};
  return { kind: 'adamw', beta1, beta2, epsilon, weightDecay, classifierWeightDecay };
}

/** More than any machine that was built; every chip's links are modelled. */
const MOST_CHIPS = 2 ** 17;

/**
 * Everything but the plan.
 *
 * @throws MeshwrightError JOB_INVALID, MODEL_UNKNOWN, FIELD_UNKNOWN, HARDWARE_UNKNOWN and those of reading a profile
 */
export function resolveTask(input: JobInput): Task {
  if (input.model === undefined) throw missing('model', 'a model', 'give --model NAME; `meshwright models` lists them');
  if (input.hardware === undefined)
    throw missing('hardware', 'a profile', 'give --hardware NAME; `meshwright hardware` lists them');
  const model = resolveModel(input.model);
  const hardware = loadHardware(input.hardware);
  const compute = input.precision?.compute ?? hardware.defaultDtype;
  if (!(compute in hardware.chip.matmul)) {
    throw new MeshwrightError('DTYPE_UNSUPPORTED', {
      place: 'precision.compute',
      expected: `a type that ${hardware.name} computes in: ${Object.keys(hardware.chip.matmul).join(', ')}`,
      got: compute,
    });
  }
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
    precision: { compute, parameters: input.precision?.parameters ?? (compute === 'f64' ? 'f64' : 'f32') },
    optimizer: resolveOptimizer(optimizer),
    training: {
      ...(training?.images === undefined ? {} : { images: training.images }),
      ...(training?.steps === undefined ? {} : { steps: training.steps }),
      epochs: training?.epochs ?? 1,
      seed: training?.seed ?? 0,
      family: training?.family ?? 'onnx',
      threadsPerRank: training?.threadsPerRank ?? 1,
      loaderWorkers: training?.loaderWorkers ?? 1,
      learningRate: optimizer?.learningRate ?? 1e-3,
      warmupSteps: optimizer?.warmupSteps ?? 0,
      cooldownSteps: optimizer?.cooldownSteps ?? 0,
    },
  };
}

const meshChips = ({ plan }: JobInput): number | undefined =>
  plan?.mesh ? (plan.mesh.data ?? 1) * (plan.mesh.model ?? 1) : undefined;

/**
 * Checks a plan against its task.
 *
 * @throws MeshwrightError MESH_DOES_NOT_MULTIPLY or PLAN_DOES_NOT_DIVIDE
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
  if (batch % microbatches !== 0) {
    throw new MeshwrightError('PLAN_DOES_NOT_DIVIDE', {
      place: 'plan.microbatches',
      expected: `a count that divides the batch of ${batch}`,
      got: String(microbatches),
    });
  }
  checkModelPlan(model, mesh, batch / microbatches, 'width');
  return { ...task, plan };
}

/** The counts of microbatches that a mesh allows: the divisors of the examples of a data rank, fewest first. */
export function microbatchChoices({ batch }: Task, mesh: Mesh): number[] {
  const perRank = batch / axisSize(mesh, 'data');
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
  const mesh = createMesh(input.plan?.mesh ?? { data: task.chips });
  const { slice, rematerialize = 'none', microbatches } = input.plan ?? {};
  const jobOf = (count: number): Job =>
    checkPlan(task, { mesh, microbatches: count, rematerialize, ...(slice === undefined ? {} : { slice }) });
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
