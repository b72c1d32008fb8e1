/** From a job to its programs, and what is known of them before anything is simulated. */
import type { ForwardOptions, ModelConfig, ModelForm } from '../models/index.js';
import { forward, lossTermsPerExample, tokensPerExample } from '../models/index.js';
import { stageMesh } from '../mesh/index.js';
import type {
  LowerOptions,
  ParameterGroup,
  Pipeline,
  PipelineShape,
  TrainingPipeline,
  Program,
} from '../program/index.js';
import {
  PipelineParts,
  countMatmulFlops,
  differentiate,
  elementCount,
  lowerForward,
  lowerPipeline,
  lowerPipelineForward,
  lowerTrainingStep,
} from '../program/index.js';
import { splitsBackward } from '../program/schedules/index.js';
import type { Flops } from '../units.js';
import { flops } from '../units.js';
import { MeshwrightError } from '../errors.js';
import type { Job } from './job.js';
import { withoutLayout } from './layout.js';
import { DEFAULT_PLAN, formatPlan } from './plan.js';
import { shardOptions } from './shard.js';
import { isPipeline, layersOfStages, scheduleShape, stagePlacement } from './stages.js';
import { matchingTensors, unsharded } from './unsharded.js';

/** The forward program of a job over `examples` at once; the loss is a mean over a batch. */
const forwardOfJob = (
  job: Job,
  examples: number,
  batch: number,
  output: ForwardOptions['output'],
  form?: ModelForm,
): Program =>
  forward(job.model, {
    mesh: stageMesh(job.plan.mesh),
    batch: examples,
    lossDivisor: batch * lossTermsPerExample(job.model),
    parameterType: job.precision.parameters,
    computeType: job.precision.compute,
    activations: job.plan.activations,
    output,
    ...(form === undefined ? {} : { form }),
  });

const microbatchLoss = (job: Job, { form }: StepOptions): Program =>
  forwardOfJob(job, job.batch / job.plan.microbatches, job.batch, 'loss', form);

/** What the stack that runs a step says of it, each unless given as its own docs say; and what is looked at of it. */
export interface StepOptions extends Pick<
  LowerOptions,
  'keepGradients' | 'fusedAttention' | 'keeping' | 'monitored' | 'unverified'
> {
  readonly form?: ModelForm;
}

/**
 * The program of one training step.
 *
 * @throws MeshwrightError INTERNAL of a pipeline, which is no one program: `lowerJobPipeline` has its programs
 */
export function lowerJob(job: Job, options: StepOptions = {}): Program {
  if (isPipeline(job.plan))
    throw new MeshwrightError('INTERNAL', { place: 'lowerJob', expected: 'no pipeline', got: formatPlan(job.plan) });
  return lowerTrainingStep(microbatchLoss(job, options), { ...lowerOptions(job), ...options });
}

const pipelineShape = ({ model, plan }: Job): PipelineShape => ({
  layers: layersOfStages(model, plan),
  placement: stagePlacement(scheduleShape(plan)),
});

/** What pipelines have in common that differ in nothing but their stages, and in how many microbatches of a size there are. */
export class SharedPipeline {
  readonly parts = new PipelineParts();
  #forward: Program | undefined;

  forward(make: () => Program): Program {
    return (this.#forward ??= make());
  }
}

/**
 * The programs of a job whose mesh has an axis `pipe`: of its slots, and of its stages around them.
 *
 * @param shared with jobs of an equal `sharedPipelineKey`, lowered with the same options
 */
export const lowerJobPipeline = (
  job: Job,
  options: StepOptions = {},
  shared: SharedPipeline = new SharedPipeline(),
): TrainingPipeline =>
  lowerPipeline(
    shared.forward(() => microbatchLoss(job, options)),
    { ...lowerOptions(job), ...options, ...pipelineShape(job), splitBackward: splitsBackward(job.plan.schedule) },
    shared.parts,
  );

/** What the programs of slots don't hang on. */
const OF_STAGES = {
  schedule: DEFAULT_PLAN.schedule,
  virtualStages: DEFAULT_PLAN.virtualStages,
  stageLayers: DEFAULT_PLAN.stageLayers,
  scheduleMemory: DEFAULT_PLAN.scheduleMemory,
  overlapTransfers: DEFAULT_PLAN.overlapTransfers,
};

/** The same for pipelines of one model, in the same types, that share most of their programs. */
export function sharedPipelineKey({ batch, plan }: Job): string {
  const { mesh, microbatches } = plan;
  const rest = {
    ...withoutLayout(plan),
    ...OF_STAGES,
    mesh: stageMesh(mesh),
    microbatches: Math.min(microbatches, 2),
  };
  return `${batch} ${batch / microbatches} ${formatPlan(rest)}`;
}

/** What the passes are told of a job. */
export function lowerOptions({ model, plan, precision, optimizer }: Job): LowerOptions {
  const { rematerializeLayers, keepProducts, bucket } = plan;
  const shard = shardOptions(model, plan);
  return {
    microbatches: plan.microbatches,
    optimizer,
    rematerialize: plan.rematerialize,
    ...(keepProducts === 'none' ? {} : { keepProducts: matchingTensors(model, keepProducts) }),
    ...(rematerializeLayers === 'all' ? {} : { rematerializeLayers }),
    linears: plan.linears,
    ...(shard === undefined ? {} : { shard }),
    ...(bucket === 'none' ? {} : { bucketBytes: bucket }),
    overlapGradients: plan.overlapGradients,
    castOnce: plan.castParameters === 'once',
    ...(plan.optimizerOffload === 'none' ? {} : { optimizerOffload: plan.optimizerOffload }),
    gradientType: precision.gradients,
    ...(precision.gradientReduction === undefined ? {} : { reductionType: precision.gradientReduction }),
    optimizerType: precision.optimizer,
    ...(precision.compute === 'f16'
      ? { lossScaling: { initial: plan.lossScale, interval: plan.lossScaleInterval } }
      : {}),
  };
}

/** The forward program that gives the logits or the mean loss of `batch` examples, to evaluate with. */
export const lowerEvaluation = (job: Job, batch: number, output: ForwardOptions['output']): Program =>
  lowerForward(forwardOfJob(job, batch, batch, output), lowerOptions(job));

/** The same of a job whose mesh has an axis `pipe`, on the parameters as its stages keep them. */
export const lowerPipelineEvaluation = (job: Job, batch: number, output: ForwardOptions['output']): Pipeline =>
  lowerPipelineForward(
    forwardOfJob(job, batch, batch, output),
    { ...lowerOptions(job), ...pipelineShape(job) },
    output,
  );

/**
 * Matmul FLOPs, attention's included, of the unsharded program's forward and backward pass over a batch, nothing
 * recomputed: the numerator of MFU.
 */
export function modelFlops(model: ModelConfig, batch: number): Flops {
  const of = (examples: number): number => {
    const flopsByPhase = countMatmulFlops(differentiate(unsharded(model, examples)));
    return flopsByPhase.forward + flopsByPhase.backward;
  };
  // What does not grow with the batch (the pooling query's projection) is in both.
  const [one, two] = [of(1), of(2)];
  return flops(one + (two - one) * (batch - 1));
}

/** Parameters of the unsharded model by group. */
export function countParameters(model: ModelConfig): Readonly<Record<ParameterGroup, number>> {
  const total = { body: 0, pooling: 0, classifier: 0 };
  const program = unsharded(model, 1);
  for (const input of program.inputs) {
    if (input.kind !== 'parameter') continue;
    const { shape, stack } = program.values[input.value]!.type;
    total[input.group] += elementCount(shape) * (stack ?? 1);
  }
  return total;
}

/**
 * PaLM's count of model FLOPs over a batch, 6·N + 12·L·H·Q·T a token (Chowdhery et al. 2022, appendix B), which the
 * ViT-22B paper uses: a cross-check. Of a vision transformer N is body and pooling; of a decoder it is everything, as
 * PaLM counts it: the embedding table too, which is exact where the head is tied to it.
 */
export function formulaFlops(
  model: ModelConfig,
  batch: number,
): { readonly flops: Flops; readonly parameters: number } {
  const { body, pooling, classifier } = countParameters(model);
  const decoder = model.family === 'decoder';
  const parameters = body + pooling + (decoder ? classifier : 0);
  const attended = decoder ? model.heads * model.headWidth : model.width;
  const tokens = tokensPerExample(model);
  const perToken = 6 * parameters + 12 * model.depth * attended * tokens;
  return { flops: flops(perToken * tokens * batch), parameters };
}
