/** A row as a job that can be predicted. */
import type { Stack } from '../hardware/index.js';
import type { Job, ModelInput, Plan, PlanInput } from '../job/index.js';
import {
  DEFAULT_PLAN,
  checkPlan,
  chunkCount,
  fitPlan,
  mergePlans,
  optionsOf,
  parsePlanInput,
  resolveTask,
} from '../job/index.js';
import type { AxisName, Mesh } from '../mesh/index.js';
import { MESH_AXES, createMesh } from '../mesh/index.js';
import { omit } from '../omit.js';
import type { MeasuredPipeline } from '../program/schedules/index.js';
import { seconds } from '../units.js';
import type { HardwareOfRow } from './hardware-of-row.js';
import { hardwareOfRow } from './hardware-of-row.js';
import {
  named,
  overlapOptions,
  pipelineOptions,
  rematerialization,
  saysNoOverlap,
  sliceOptions,
} from './options-of-row.js';
import type { Row } from './row.js';
import { planDefaultsFor, stackOfRow } from './stack-of-row.js';
import { Unsupported } from './unsupported.js';
import type { Mechanism } from './without.js';
import { withoutOverlap, withoutTopology } from './without.js';

/** A step whose last microbatch is smaller than the others. */
export interface Remainder {
  /** Steps of one and of two such microbatches: the second takes what they differ by. */
  readonly one: Job;
  readonly two: Job;
}

export interface PreparedRow {
  readonly job: Job;
  readonly stack: Stack;
  readonly remainder?: Remainder;
  /** Whether the row leaves open what shape the slice of a torus had. */
  readonly openSlice: boolean;
  /** What one microbatch was measured to take on a stage. */
  readonly profile?: MeasuredPipeline;
  readonly notes: readonly string[];
}

const COMPUTE: Readonly<Record<string, 'bf16' | 'f16' | 'f32'>> = {
  bf16: 'bf16',
  fp16: 'f16',
  f16: 'f16',
  fp32: 'f32',
  f32: 'f32',
};

const ZERO_STAGES: readonly Plan['shard'][] = ['none', 'optimizer', 'gradients', 'parameters'];

const roundUp = (value: number, multiple: number): number => Math.ceil(value / multiple) * multiple;

/** The kinds of decoder that a row can be of, as presets whose every size is replaced. */
function modelOfRow({ model: row, plan }: Row, stack: Stack): ModelInput {
  if (row.family !== 'decoder') throw new Unsupported(`a model of the family ${row.family}; there is decoder`);
  const kind = row.parallelBlock === true ? 'palm-8b' : row.gatedMlp === true ? 'llama-2-7b' : 'gpt2';
  const { model: usual } = stack.document;
  return {
    preset: kind,
    // A gated or parallel block says which kind of model it is, whatever the framework's other models are like.
    ...(kind === 'gpt2' && usual !== undefined ? omit(usual, 'source', 'status') : {}),
    name: row.name,
    width: row.width,
    depth: row.layers,
    heads: row.heads,
    keyValueHeads: row.keyValueHeads ?? row.heads,
    headWidth: row.headWidth ?? Math.floor(row.width / row.heads),
    mlpWidth: row.mlpWidth,
    gatedMlp: row.gatedMlp ?? false,
    // That a row says nothing of a parallel block is no word against one that a framework's own kind of model has.
    parallelLayers: row.parallelBlock === true || (kind === 'gpt2' && usual?.parallelLayers === true),
    tiedHead: row.tiedEmbeddings ?? false,
    vocabulary: roundUp(row.vocabulary, stack.vocabularyMultiple * plan.model),
    sequence: row.sequenceLength,
  };
}

interface Sharding {
  readonly mesh: Mesh;
  readonly options: Pick<PlanInput, 'shard' | 'shardAxes'>;
}

function shardingOfRow({ plan, hardware }: Row): Sharding {
  const { data, model, pipe, sequence } = plan;
  const product = data * model * pipe * (sequence ?? 1);
  if (product !== hardware.chips)
    throw new Unsupported(`data × model × pipe × sequence is ${product}, not the ${hardware.chips} chips`);
  const stage = ZERO_STAGES[plan.zeroStage ?? 0]!;
  const over = stage === 'none' ? data : (plan.shardParametersOver ?? data);
  const overModel = over === data * model && model > 1;
  if (!overModel && data % over !== 0)
    throw new Unsupported(
      `parameters sharded over ${over} chips, which neither divides data=${data} nor is data × model`,
    );
  const inner = overModel ? data : over;
  const sizes = { pipe, replica: data / inner, data: inner, sequence: sequence ?? 1, model };
  const missing = Object.entries(sizes).find(([name, size]) => size > 1 && !MESH_AXES.includes(name as AxisName));
  if (missing !== undefined) throw new Unsupported(`a mesh axis ${missing[0]}; there are ${MESH_AXES.join(', ')}`);
  // Chips that share the tokens of a sequence have the same parameters, as those along `data` (Megatron's distributed
  // optimizer and FSDP shard over both).
  const axes: AxisName[] = [
    'data',
    ...((sequence ?? 1) > 1 ? (['sequence'] as const) : []),
    ...(overModel ? (['model'] as const) : []),
  ];
  return {
    mesh: createMesh(sizes),
    options: stage === 'none' ? {} : { shard: stage, ...(axes.length > 1 ? { shardAxes: axes } : {}) },
  };
}

interface Microbatches {
  /** Sequences of a data rank in each, but for the last. */
  readonly size: number;
  readonly whole: number;
  /** Sequences of a data rank in the last, where it is smaller. */
  readonly rest: number;
}

function microbatchesOfRow({ plan, hardware }: Row, notes: string[]): Microbatches {
  const { data, globalBatch, microbatch, zeroStage } = plan;
  const perRank = globalBatch / data;
  if (!Number.isInteger(perRank))
    throw new Unsupported(
      `a batch of ${globalBatch} sequences that is not whole sequences on each of ${data} data ranks`,
    );
  // Where parameters are fully sharded, it may be counted for each chip, those along `model` included.
  const perChip = (microbatch * hardware.chips) / data;
  const isPerChip = !Number.isInteger(microbatch) && zeroStage === 3 && Number.isInteger(perChip);
  const stated = isPerChip ? perChip : microbatch;
  if (stated > perRank) notes.push(`microbatches of ${perRank} sequences, all that a data rank has, not of ${stated}`);
  const size = Math.min(stated, perRank);
  if (!Number.isInteger(size))
    throw new Unsupported(`microbatches of ${microbatch} sequences: a sequence on several chips`);
  const whole = Math.floor(perRank / size);
  return { size, whole, rest: perRank - whole * size };
}

/** Layers of each virtual stage; where the last has fewer, it has the head in their place. */
function workOf({ firstAndLastStageLayersFewer: fewer }: Row['plan'], layers: Plan['stageLayers']) {
  if (typeof layers === 'string') return {};
  return { work: layers.map((count, index) => (index === layers.length - 1 ? count + (fewer ?? 0) : count)) };
}

function profileOfRow({ plan }: Row, { plan: options }: Job): MeasuredPipeline | undefined {
  const { profiledStageSeconds: measured, pipe } = plan;
  if (measured == null || pipe === 1) return undefined;
  return {
    name: options.schedule,
    stages: pipe,
    microbatches: options.microbatches,
    chunks: chunkCount(options),
    blocking: !options.overlapTransfers,
    ...workOf(plan, options.stageLayers),
    times: {
      forward: seconds(measured.forward),
      backwardInput: seconds(measured.backwardInput),
      backwardWeight: seconds(measured.backwardWeight),
      transfer: seconds(measured.transfer),
    },
  };
}

function machineOfRow(row: Row, isFlat: boolean): HardwareOfRow {
  const found = hardwareOfRow(row);
  if (!isFlat) return found;
  const { chips } = row.hardware;
  return { hardware: withoutTopology(found.hardware, chips), key: `${found.key}, ${chips} on one switch` };
}

/**
 * @param without mechanisms to leave out
 * @throws Unsupported of what can't be expressed here, and MeshwrightError of a plan that its model or hardware can't have
 */
export function prepareRow(row: Row, without: readonly Mechanism[] = []): PreparedRow {
  const { hardware, key } = machineOfRow(row, without.includes('topology'));
  const { stack: usualStack, notes: stackNotes } = stackOfRow(row, hardware);
  const overlaps = !without.includes('overlap') && !saysNoOverlap(row);
  const stack = overlaps ? usualStack : withoutOverlap(usualStack);
  const notes = [...stackNotes];
  const isTorus = hardware.topology.kind === 'torus';
  const { mesh, options: sharding } = shardingOfRow(row);
  const { size, whole, rest } = microbatchesOfRow(row, notes);
  const isPipeline = row.plan.pipe > 1;
  if (rest > 0 && isPipeline) throw new Unsupported('a pipeline whose last microbatch is smaller than the others');
  const compute = named('precision', row.plan.precision, COMPUTE);
  const situation = {
    hardware: hardware.name,
    compute,
    shard: sharding.shard ?? 'none',
    pipeline: isPipeline,
    interleaved: isPipeline && (row.plan.virtualStages ?? 1) > 1,
  };
  const usual = planDefaultsFor(stack, situation)
    .map(({ set }) => parsePlanInput(set, `${stack.name} (plan)`))
    .reduce(mergePlans, {});
  const ofPipeline = pipelineOptions(row, optionsOf(usual).stageLayers, notes);
  const layout = row.plan.sequenceSharded === true ? { activations: 'sequence' as const } : {};
  const given: PlanInput = { ...sharding, ...layout, precision: { compute } };
  const options: Partial<Plan> = {
    activations: 'replicated',
    ...optionsOf(mergePlans(mergePlans(usual, given), overlapOptions(row, notes))),
    ...(overlaps ? {} : ({ overlapGradients: false, linears: 'synchronous' } as const)),
    ...ofPipeline,
    ...(isTorus ? sliceOptions(row) : {}),
    ...(without.includes('recompute') ? {} : rematerialization(row, notes)),
  };
  const model = modelOfRow(row, stack);
  const jobOf = (sequences: number, microbatches: number): Job => {
    const batch = sequences * microbatches * row.plan.data;
    const input = { model, hardware: hardware.name, chips: row.hardware.chips, batch };
    const task = { ...resolveTask(input, () => hardware), hardwareName: key };
    return checkPlan(task, fitPlan(task, { ...DEFAULT_PLAN, mesh, microbatches, ...options }).plan);
  };
  const job = jobOf(size, whole);
  const profile = profileOfRow(row, job);
  return {
    job,
    stack,
    ...(rest === 0 ? {} : { remainder: { one: jobOf(rest, 1), two: jobOf(rest, 2) } }),
    openSlice: isTorus && row.hardware.network?.sliceShape == null,
    ...(profile === undefined ? {} : { profile }),
    notes,
  };
}
