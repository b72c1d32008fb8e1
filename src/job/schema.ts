/** The form of a job file. Everything has a default except the model and the hardware; unknown fields are refused. */
import { z } from 'zod';
import { FAMILY_NAMES } from '../runtime/kernels/families.js';
import { planSchema } from './plan.js';
import { searchSchema } from './search.js';

const count = z.number('a whole number of at least 1').int('a whole number').min(1, 'at least 1');
const rate = z.number('a number of at least 0').min(0, 'at least 0');

export const modelSchema = z.strictObject({
  /** A preset's name; the other fields replace its settings, those of its family. */
  preset: z.string('the name of a model'),
  name: z
    .string()
    .regex(/^[\w.*-]+$/, 'letters, digits, dots and hyphens')
    .optional(),
  width: count.optional(),
  depth: count.optional(),
  mlpWidth: count.optional(),
  heads: count.optional(),
  parallelLayers: z.boolean().optional(),
  // Of vision transformers.
  patch: count.optional(),
  imageSize: count.optional(),
  channels: count.optional(),
  classes: count.optional(),
  pooling: z.enum(['attention', 'mean']).optional(),
  queryKeyNorm: z.boolean().optional(),
  omitBiases: z.boolean().optional(),
  loss: z.enum(['sigmoid', 'softmax']).optional(),
  // Of decoders.
  jointProjections: z.boolean().optional(),
  headWidth: count.optional(),
  keyValueHeads: count.optional(),
  gatedMlp: z.boolean().optional(),
  activation: z.enum(['gelu', 'silu']).optional(),
  positions: z.enum(['rotary', 'learned']).optional(),
  ropeBase: count.optional(),
  norm: z.enum(['layer', 'rms']).optional(),
  biases: z.boolean().optional(),
  tiedHead: z.boolean().optional(),
  vocabulary: count.optional(),
  sequence: count.optional(),
});

export const jobSchema = z.strictObject({
  schema: z.literal('meshwright/job@1').optional(),
  /** A preset's name, or a preset with changes. */
  model: z.union([z.string(), modelSchema], 'a model name, or { preset: NAME, … }').optional(),
  /** The name of a shipped profile, or the path of one. */
  hardware: z.string('a profile name or path').optional(),
  chips: count.optional(),
  /** Examples a step, over all chips: images, or sequences of tokens. */
  batch: count.optional(),
  plan: planSchema.optional(),
  /** What `meshwright plan` may choose among; other commands take the plan. */
  search: searchSchema.optional(),
  precision: z.never('it in the plan, as plan.precision').optional(),
  optimizer: z
    .strictObject({
      kind: z.enum(['adamw', 'sgd']).optional(),
      learningRate: rate.optional(),
      warmupSteps: z.number().int().min(0, 'at least 0').optional(),
      cooldownSteps: z.number().int().min(0, 'at least 0').optional(),
      weightDecay: rate.optional(),
      classifierWeightDecay: rate.optional(),
      /** What weight decay is of: kernels (matrices), or all parameters, as in PyTorch unless one sorts them. */
      decayed: z.enum(['kernels', 'all']).optional(),
      beta1: rate.lt(1, 'a number of at least 0 and less than 1').optional(),
      beta2: rate.lt(1, 'a number of at least 0 and less than 1').optional(),
      epsilon: rate.gt(0, 'a number above 0').optional(),
      momentum: rate.lt(1, 'a number of at least 0 and less than 1').optional(),
    })
    .optional(),
  training: z
    .strictObject({
      /** A folder with class folders in `train/` and, to evaluate on, `held-out/`; or with class folders itself. */
      images: z.string().optional(),
      /** A text file, or a folder of them, read in the order of their names; its bytes are the tokens. */
      text: z.string().optional(),
      steps: count.optional(),
      epochs: rate.gt(0, 'a number above 0').optional(),
      seed: z.number().int().min(0, 'at least 0').optional(),
      family: z.enum(FAMILY_NAMES).optional(),
      threadsPerRank: count.optional(),
      loaderWorkers: count.optional(),
      /** When the state of a run is written down, to be gone on with: after its last step, and now and then before. */
      checkpoint: z
        .strictObject({
          everySteps: count.optional(),
          everySeconds: rate.gt(0, 'a number above 0').optional(),
          /** How many stay in the run folder; 0 writes none. */
          keep: z.number().int('a whole number').min(0, 'at least 0').optional(),
        })
        .optional(),
      /** Every so many steps the gradients' norm and the largest attention logit are measured; 0 is never. */
      monitor: z.number().int().min(0, 'at least 0').optional(),
    })
    .optional(),
});

/** A job as written, before defaults. */
export type JobInput = z.infer<typeof jobSchema>;
export type CheckpointInput = NonNullable<NonNullable<JobInput['training']>['checkpoint']>;
export type ModelInput = z.infer<typeof modelSchema>;
