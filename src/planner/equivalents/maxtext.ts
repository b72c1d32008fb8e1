/**
 * MaxText's configuration [AI-Hypercomputer/maxtext, src/maxtext/configs/base.yml]. Axes within a slice are `ici_`, the
 * one that goes across slices is `dcn_`.
 */
import type { Job } from '../../job/index.js';
import { chunkCount } from '../../job/index.js';
import type { FloatType } from '../../program/index.js';
import type { FrameworkSettings, Rule, Rules } from './framework.js';
import { TORUS, elsewhere, fixedOrder, evenLayers, onlyUsual, translate } from './framework.js';

const JAX_TYPES: Readonly<Record<FloatType, string>> = {
  f64: 'float64',
  f32: 'float32',
  bf16: 'bfloat16',
  f16: 'float16',
};

/** The outermost axis that slices divide goes across them, as the machine lays it. */
const mesh: Rule = ({ plan, pipe, replica, data, sequence, model, set }) => {
  const sharded = plan.shard === 'parameters';
  const axes = [
    ['pipeline', pipe],
    ['data', sharded ? (plan.shardAxes.includes('replica') ? 1 : replica) : replica * data],
    ['fsdp', sharded ? data * (plan.shardAxes.includes('replica') ? replica : 1) : 1],
    ['context', sequence],
    ['tensor', model],
  ] as const;
  let across = plan.slices ?? 1;
  for (const [name, size] of axes) {
    const cut = across > 1 && size % across === 0 ? across : 1;
    if (cut > 1) across = 1;
    set(`ici_${name}_parallelism: ${size / cut}`);
    set(`dcn_${name}_parallelism: ${cut}`);
  }
};

/** The batch over chips that its name speaks of is of one accumulation step; in a pipeline, of the whole step. */
const microbatches: Rule = ({ job, plan, pipe, set }) => {
  set(`per_device_batch_size: ${job.batch / job.chips / (pipe > 1 ? 1 : plan.microbatches)}`);
  set(
    pipe > 1 ? `num_pipeline_microbatches: ${plan.microbatches}` : `gradient_accumulation_steps: ${plan.microbatches}`,
  );
};

const schedule: Rule = (translation) => {
  const { plan, pipe, layers, set, lacks } = translation;
  if (pipe === 1) return;
  if (plan.schedule !== 'gpipe')
    lacks('schedule', 'its pipeline is circular: all forwards, then all backwards, as gpipe does');
  if (evenLayers(translation)) {
    set(`num_layers_per_pipeline_stage: ${layers[0]}`);
    set(`num_pipeline_repeats: ${chunkCount(plan)}`);
  } else lacks('stageLayers', 'every stage has as many layers; pipeline_parallel_layers leaves some out');
  if (plan.microbatches % pipe !== 0) lacks('microbatches', `a multiple of the ${pipe} stages`);
};

const POLICIES = { none: undefined, selective: 'minimal', matmuls: 'minimal', full: 'full' } as const;

const rematerialize: Rule = ({ plan, set, lacks }) => {
  const { rematerialize: what } = plan;
  if (what === 'none') {
    set('remat_policy: minimal_with_context');
    lacks('rematerialize', 'minimal_with_context keeps products and what attention leaves, and makes the rest again');
    return;
  }
  set(`remat_policy: ${POLICIES[what]}`);
  if (what === 'selective')
    lacks('rematerialize', 'minimal keeps products alone; minimal_with_context keeps attention too');
};

const shard: Rule = ({ plan, set, lacks }) => {
  if (plan.shard === 'optimizer') set('shard_optimizer_over_data: true');
  if (plan.shard === 'gradients')
    lacks('shard', 'shard_optimizer_over_data (optimizer) or ici_fsdp_parallelism (parameters)');
};

const RULES: Rules = {
  mesh,
  microbatches,
  ...TORUS,
  ...fixedOrder('the order of mesh_axes: data, stage, fsdp, context, tensor, the innermost last'),
  slices: elsewhere,
  schedule,
  virtualStages: elsewhere,
  stageLayers: elsewhere,
  scheduleMemory: onlyUsual('scheduleMemory', 'its pipeline leaves no choice'),
  overlapTransfers: ({ plan, pipe, set }) => {
    if (pipe > 1) set(`pipeline_delay_activation_forwarding: ${plan.overlapTransfers}`);
  },
  rematerialize,
  rematerializeLayers: onlyUsual('rematerializeLayers', 'remat_policy is of all layers'),
  keepProducts: ({ plan, lacks }) => {
    if (plan.keepProducts !== 'none')
      lacks('keepProducts', 'remat_policy: custom, with mlpwi, mlpwo, query_proj, … set to device');
  },
  activations: ({ plan, model, lacks }) => {
    if (model > 1 && plan.activations === 'replicated')
      lacks('activations', 'logical_axis_rules put activation_embed on tensor: activations=width');
    if (model > 1 && plan.activations === 'sequence')
      lacks(
        'activations',
        'logical_axis_rules that put activation_length on tensor, or ici_tensor_sequence_parallelism',
      );
  },
  linears: ({ plan, lacks }) => {
    if (plan.linears !== 'synchronous')
      lacks(
        'linears',
        "XLA decides: LIBTPU_INIT_ARGS='--xla_tpu_enable_async_collective_fusion=true', and its thresholds for collective matmuls",
      );
  },
  shard,
  shardAxes: ({ plan, lacks }) => {
    if (plan.shard !== 'none' && (plan.shardAxes.includes('model') || plan.shardAxes.includes('sequence')))
      lacks('shardAxes', 'fsdp and fsdp_transpose are the axes that parameters are sharded over besides');
  },
  shardTensors: onlyUsual('shardTensors', 'logical_axis_rules say it by kind of tensor'),
  shardMinimum: onlyUsual('shardMinimum', 'logical_axis_rules say it by kind of tensor'),
  prefetch: onlyUsual('prefetch', 'XLA schedules gathers ahead of their use'),
  bucket: onlyUsual('bucket', "XLA's combiner thresholds (--xla_gpu_all_gather_combine_threshold_bytes)"),
  overlapGradients: onlyUsual('overlapGradients', 'XLA schedules reductions beside the backward pass'),
  optimizerOffload: ({ plan, set, lacks }) => {
    if (plan.optimizerOffload === 'streamed') set('optimizer_memory_host_offload: true');
    if (plan.optimizerOffload === 'host-update')
      lacks('optimizerOffload', 'the chip updates, with state from the host: optimizer-offload=streamed');
  },
  castParameters: onlyUsual('castParameters', 'parameters are cast where they are used'),
  compute: ({ job, set }) => set(`dtype: ${JAX_TYPES[job.precision.compute]}`),
  parameters: ({ job, set }) => set(`weight_dtype: ${JAX_TYPES[job.precision.parameters]}`),
  gradients: ({ job, lacks }) => {
    if (job.precision.gradients !== job.precision.parameters) lacks('gradients', 'of the type of the parameters');
  },
  gradientReduction: onlyUsual('gradientReduction', 'of the type of the gradients'),
  optimizerState: ({ job, lacks }) => {
    if (job.precision.optimizer !== job.precision.parameters) lacks('optimizerState', 'of the type of the parameters');
  },
  lossScale: ({ job, lacks }) => {
    if (job.precision.compute === 'f16') lacks('lossScale', 'no loss scaling: bfloat16 needs none');
  },
  lossScaleInterval: elsewhere,
};

export const maxtext = (job: Job): FrameworkSettings =>
  translate(job, { framework: 'MaxText', form: 'yaml', rules: RULES });
