/**
 * DeepSpeed's configuration [deepspeed.ai/docs/config-json], and what its pipeline module takes
 * [deepspeed.readthedocs.io: PipelineModule].
 */
import type { Job } from '../../job/index.js';
import type { FloatType } from '../../program/index.js';
import type { FrameworkSettings, Rule, Rules } from './framework.js';
import { TORUS, elsewhere, fixedOrder, evenLayers, onlyUsual, translate } from './framework.js';

const TYPES: Readonly<Record<FloatType, string>> = { f64: 'fp64', f32: 'fp32', bf16: 'bf16', f16: 'fp16' };
const STAGES = { none: 0, optimizer: 1, gradients: 2, parameters: 3 } as const;
const WIDTH: Readonly<Record<FloatType, number>> = { f64: 8, f32: 4, bf16: 2, f16: 2 };

const mesh: Rule = ({ plan, pipe, replica, model, sequence, lacks }) => {
  if (sequence > 1)
    lacks(
      'mesh',
      `sequence=${sequence}: DeepSpeed-Ulysses (sequence_parallel_size) exchanges heads by all-to-all instead`,
    );
  if (replica > 1 && plan.shard !== 'none' && plan.shard !== 'parameters')
    lacks('mesh', 'replica: state is sharded over all data-parallel ranks but in stage 3');
  if (pipe > 1 && (plan.shard === 'gradients' || plan.shard === 'parameters'))
    lacks('shard', 'its pipeline engine has ZeRO stages 0 and 1 alone');
  if (model > 1 && pipe > 1)
    lacks('mesh', 'model with pipe: tensor parallelism of the model code (mpu) in a PipelineModule');
};

/** The file, section by section, and the comments for what code says. */
const file: Rule = (translation) => {
  const { job, plan, pipe, replica, data, model, microbatch, layers, set } = translation;
  const { compute, gradients, gradientReduction } = job.precision;
  const elements = plan.bucket === 'none' ? undefined : Math.round(plan.bucket / WIDTH[gradients]);
  const zero = {
    stage: STAGES[plan.shard],
    ...(plan.shard === 'none' ? {} : { overlap_comm: plan.overlapGradients }),
    ...(elements === undefined ? {} : { reduce_bucket_size: elements, allgather_bucket_size: elements }),
    ...(plan.shard === 'parameters' ? { stage3_param_persistence_threshold: plan.shardMinimum } : {}),
    ...(plan.shard === 'parameters' && replica > 1 ? { mics_shard_size: data } : {}),
    ...(plan.shard !== 'none' && plan.optimizerOffload === 'host-update'
      ? { offload_optimizer: { device: 'cpu', pin_memory: true } }
      : {}),
  };
  const config = {
    train_batch_size: job.batch,
    train_micro_batch_size_per_gpu: microbatch,
    gradient_accumulation_steps: plan.microbatches,
    zero_optimization: zero,
    ...(compute === 'bf16' ? { bf16: { enabled: true } } : {}),
    ...(compute === 'f16'
      ? {
          fp16: {
            enabled: true,
            initial_scale_power: Math.round(Math.log2(plan.lossScale)),
            loss_scale_window: plan.lossScaleInterval,
          },
        }
      : {}),
    data_types: { grad_accum_dtype: TYPES[gradients] },
    communication_data_type: TYPES[gradientReduction ?? gradients],
    ...(model > 1 && pipe === 1 ? { tensor_parallel: { autotp_size: model } } : {}),
  };
  JSON.stringify(config, undefined, 2).split('\n').forEach(set);
  if (pipe > 1) {
    const method = evenLayers(translation) ? 'uniform' : 'parameters';
    set(`// PipelineModule(layers, num_stages=${pipe}, partition_method="${method}")  # layers: ${layers.join(', ')}`);
  }
  if (plan.rematerialize === 'full')
    set(
      pipe > 1
        ? '// PipelineModule(…, activation_checkpoint_interval=1)'
        : '// deepspeed.checkpointing.checkpoint(layer, …) for each layer',
    );
};

const RULES: Rules = {
  mesh,
  microbatches: elsewhere,
  ...TORUS,
  ...fixedOrder('the order of devices follows from ranks: model innermost, then data, then pipe'),
  schedule: ({ plan, pipe, lacks }) => {
    if (pipe > 1 && plan.schedule !== '1f1b') lacks('schedule', 'its pipeline engine runs 1F1B (TrainSchedule)');
  },
  virtualStages: elsewhere,
  stageLayers: (translation) => {
    if (translation.pipe > 1 && !evenLayers(translation))
      translation.lacks(
        'stageLayers',
        'partition_method is uniform, parameters or type:…; check that it gives these layers',
      );
  },
  scheduleMemory: onlyUsual('scheduleMemory', 'its schedule leaves no choice'),
  overlapTransfers: ({ plan, pipe, lacks }) => {
    if (pipe > 1 && plan.overlapTransfers) lacks('overlapTransfers', 'a stage waits until what it sends has arrived');
  },
  rematerialize: ({ plan, lacks }) => {
    if (plan.rematerialize === 'selective' || plan.rematerialize === 'matmuls')
      lacks('rematerialize', 'whole layers are made again, or what torch.utils.checkpoint is told in the model code');
  },
  rematerializeLayers: onlyUsual('rematerializeLayers', 'call deepspeed.checkpointing.checkpoint for these alone'),
  keepProducts: onlyUsual('keepProducts', 'whole layers are made again'),
  activations: ({ plan, model, lacks }) => {
    if (model > 1 && plan.activations !== 'replicated')
      lacks('activations', 'its tensor parallelism keeps the stream whole on every rank: activations=replicated');
  },
  linears: onlyUsual('linears', 'collectives of tensor parallelism run before or after their matmul'),
  shard: elsewhere,
  shardAxes: ({ plan, lacks }) => {
    if (plan.shard !== 'none' && (plan.shardAxes.includes('model') || plan.shardAxes.includes('sequence')))
      lacks('shardAxes', 'ZeRO shards over data-parallel ranks');
  },
  shardTensors: onlyUsual('shardTensors', 'all parameters are sharded alike'),
  shardMinimum: ({ plan, lacks }) => {
    if (plan.shardMinimum > 0 && plan.shard !== 'parameters')
      lacks('shardMinimum', 'stage3_param_persistence_threshold is of stage 3 alone');
  },
  prefetch: ({ plan, lacks }) => {
    if (plan.shard === 'parameters')
      lacks('prefetch', 'stage3_prefetch_bucket_size says in elements how much is gathered ahead, not in layers');
  },
  bucket: elsewhere,
  overlapGradients: ({ plan, replica, data, lacks }) => {
    if (plan.shard === 'none' && plan.overlapGradients && replica * data > 1)
      lacks('overlapGradients', 'without ZeRO gradients are reduced after the backward pass');
  },
  optimizerOffload: ({ plan, lacks }) => {
    if (plan.optimizerOffload === 'streamed')
      lacks('optimizerOffload', 'the host updates what it keeps: optimizer-offload=host-update');
    if (plan.optimizerOffload === 'host-update' && plan.shard === 'none')
      lacks('optimizerOffload', 'offload_optimizer is of ZeRO, stages 1 to 3');
  },
  castParameters: ({ plan, job, lacks }) => {
    if (
      plan.castParameters === 'where-used' &&
      ['bf16', 'f16'].includes(job.precision.compute) &&
      plan.shard !== 'parameters'
    )
      lacks('castParameters', 'a copy in the type of compute is kept besides: cast-parameters=once');
  },
  compute: ({ job, lacks }) => {
    if (job.precision.compute === 'f64') lacks('compute', 'fp32, bf16 and fp16 are what it computes in');
  },
  parameters: ({ job, lacks }) => {
    if (job.precision.parameters !== 'f32') lacks('parameters', 'the optimizer keeps them in fp32');
  },
  gradients: elsewhere,
  gradientReduction: elsewhere,
  optimizerState: ({ job, lacks }) => {
    if (job.precision.optimizer !== 'f32') lacks('optimizerState', 'fp32');
  },
  lossScale: elsewhere,
  lossScaleInterval: elsewhere,
};

export const deepspeed = (job: Job): FrameworkSettings =>
  translate(job, { framework: 'DeepSpeed', form: 'json', rules: RULES, finish: file });
