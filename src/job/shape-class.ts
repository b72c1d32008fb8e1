/**
 * Shape classes: jobs whose chips compute the same of one microbatch. What lies on `model` and `sequence`, the examples
 * that a chip has at once, what is made again and in which types decide it; not how many microbatches, copies or stages
 * there are, nor what else is sharded or where it lies.
 */
import { axisSize, batchParts, createMesh } from '../mesh/index.js';
import { forward, lossTermsPerExample } from '../models/index.js';
import type { Program } from '../program/index.js';
import { lowerMicrobatch } from '../program/index.js';
import type { Job } from './job.js';
import type { StepOptions } from './lower.js';
import { lowerOptions } from './lower.js';
import { isPipeline } from './stages.js';

/** Examples that a chip, with those that share them, has in a microbatch. */
export const localExamples = ({ batch, plan }: Pick<Job, 'batch' | 'plan'>): number =>
  batch / plan.microbatches / batchParts(plan.mesh);

/** What else chips do in every microbatch. */
export interface MicrobatchForm {
  /** Adds its gradients to those of the microbatches before, whole as they are. */
  readonly summed: boolean;
  /** Casts parameters where they are used. */
  readonly casting: boolean;
}

/** As far as it doesn't hang on what is sharded: with either, jobs do as much or more. */
export const LEAST_FORM: MicrobatchForm = { summed: false, casting: false };

/** What chips do for sure in every microbatch of a job. */
export function microbatchForm({ plan }: Job): MicrobatchForm {
  const { shard, castParameters, microbatches } = plan;
  const whole = shard === 'none' || shard === 'optimizer';
  return {
    summed: whole && (microbatches > 1 || isPipeline(plan)),
    casting: shard === 'none' && castParameters === 'where-used',
  };
}

/** The same for jobs of one task that differ at most in the examples of a microbatch, as far as its program goes. */
export function shapeClassKey(job: Job, { summed, casting } = LEAST_FORM): string {
  const { plan, precision } = job;
  const { mesh, activations, linears, rematerialize, rematerializeLayers, keepProducts } = plan;
  const sizes = [axisSize(mesh, 'sequence'), axisSize(mesh, 'model')];
  const { compute, parameters, gradients } = precision;
  const made = [rematerialize, rematerializeLayers, keepProducts];
  const form = `${summed ? 's' : ''}${casting ? 'c' : ''}`;
  return JSON.stringify([sizes, activations, linears, made, compute, parameters, gradients, form]);
}

/**
 * One microbatch's forward and backward pass of a job's class, with parameters in the type that they are used in unless
 * they are cast where they are used.
 *
 * @param examples of the microbatch, which a chip shares with those along `sequence` and `model`
 */
export function lowerShapeClass(
  job: Job,
  examples: number,
  { form, ...options }: StepOptions,
  { summed, casting } = LEAST_FORM,
): Program {
  const { model, plan, precision } = job;
  const mesh = createMesh({ sequence: axisSize(plan.mesh, 'sequence'), model: axisSize(plan.mesh, 'model') });
  const program = forward(model, {
    mesh,
    batch: examples,
    lossDivisor: examples * lossTermsPerExample(model),
    parameterType: precision.parameters,
    computeType: precision.compute,
    activations: plan.activations,
    output: 'loss',
    ...(form === undefined ? {} : { form }),
  });
  return lowerMicrobatch(program, { ...lowerOptions(job), ...options, castOnce: !casting }, summed);
}

/**
 * A program as it is with other examples: every dimension grows with them by the same step.
 *
 * @param one with one example
 * @param two with two
 * @returns nothing where the two are not made of the same ops
 */
export function withExamples(one: Program, two: Program, examples: number): Program | undefined {
  if (one.values.length !== two.values.length || one.ops.length !== two.ops.length) return undefined;
  const values = [];
  for (const [index, value] of two.values.entries()) {
    const before = one.values[index]!.type;
    const { type } = value;
    if (before.shape.length !== type.shape.length || before.dtype !== type.dtype) return undefined;
    const isSame = before.shape.every((size, dimension) => size === type.shape[dimension]);
    const shape = type.shape.map((size, dimension) => {
      const first = before.shape[dimension]!;
      return first + (examples - 1) * (size - first);
    });
    values.push(isSame ? value : { ...value, type: { ...type, shape } });
  }
  return { ...two, values };
}
