/** From a job to its programs, and what is known of them before anything is simulated. */
import { tokenCount, vitForward } from '../models/index.js';
import type { VitConfig } from '../models/index.js';
import type { LowerOptions, ParameterGroup, Program } from '../program/index.js';
import { countMatmulFlops, differentiate, elementCount, fuse, lowerTrainingStep, verify } from '../program/index.js';
import type { Flops } from '../units.js';
import { flops } from '../units.js';
import type { Job } from './job.js';
import { matchingTensors, unsharded } from './unsharded.js';

/** The program of one training step. */
export function lowerJob(job: Job, options: { readonly keepGradients?: boolean } = {}): Program {
  const { model, plan, batch, precision } = job;
  const forward = vitForward(model, {
    mesh: plan.mesh,
    batch: batch / plan.microbatches,
    lossDivisor: batch,
    parameterType: precision.parameters,
    computeType: precision.compute,
    activations: plan.activations,
    output: 'loss',
  });
  return lowerTrainingStep(forward, { ...lowerOptions(job), ...options });
}

/** What the passes are told of a job. */
export function lowerOptions({ model, plan, precision, optimizer }: Job): LowerOptions {
  const { rematerializeLayers, shard, shardTensors, bucket } = plan;
  return {
    microbatches: plan.microbatches,
    optimizer,
    rematerialize: plan.rematerialize,
    ...(rematerializeLayers === 'all' ? {} : { rematerializeLayers }),
    linears: plan.linears,
    ...(shard === 'none'
      ? {}
      : {
          shard: {
            stage: shard,
            axes: plan.shardAxes,
            ...(shardTensors === 'all' ? {} : { tensors: matchingTensors(model, shardTensors) }),
            minimumElements: plan.shardMinimum,
            prefetch: plan.prefetch,
          },
        }),
    ...(bucket === 'none' ? {} : { bucketBytes: bucket }),
    overlapGradients: plan.overlapGradients,
    gradientType: precision.gradients,
    optimizerType: precision.optimizer,
    ...(precision.compute === 'f16'
      ? { lossScaling: { initial: plan.lossScale, interval: plan.lossScaleInterval } }
      : {}),
  };
}

/** The forward program that gives logits of `batch` images, to evaluate with. */
export function lowerEvaluation(job: Job, batch: number): Program {
  const { model, plan, precision } = job;
  const forward = vitForward(model, {
    mesh: plan.mesh,
    batch,
    lossDivisor: batch,
    parameterType: precision.parameters,
    computeType: precision.compute,
    activations: plan.activations,
    output: 'logits',
  });
  return verify(fuse(verify(forward)));
}

/**
 * Matmul FLOPs, attention's included, of the unsharded program's forward and backward pass over a batch, nothing
 * recomputed: the numerator of MFU.
 */
export function modelFlops(model: VitConfig, batch: number): Flops {
  const of = (images: number): number => {
    const { forward, backward } = countMatmulFlops(differentiate(unsharded(model, images)));
    return forward + backward;
  };
  // What does not grow with the batch (the pooling query's projection) is in both.
  const [one, two] = [of(1), of(2)];
  return flops(one + (two - one) * (batch - 1));
}

/** Parameters of the unsharded model by group. */
export function countParameters(model: VitConfig): Readonly<Record<ParameterGroup, number>> {
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
 * ViT-22B paper uses: a cross-check. N is body and pooling.
 */
export function formulaFlops(model: VitConfig, batch: number): { readonly flops: Flops; readonly parameters: number } {
  const { body, pooling } = countParameters(model);
  const tokens = tokenCount(model);
  const perToken = 6 * (body + pooling) + 12 * model.depth * model.width * tokens;
  return { flops: flops(perToken * tokens * batch), parameters: body + pooling };
}
