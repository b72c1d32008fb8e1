/**
 * torchtitan's configuration file [pytorch/torchtitan, torchtitan/config/job_config.py]. `data` is its shard degree where
 * anything is sharded, else its replicate degree.
 */
import type { Job } from '../../job/index.js';
import type { ScheduleName } from '../../program/schedules/index.js';
import type { FrameworkSettings, Rule, Rules } from './framework.js';
import { TORUS, elsewhere, fixedOrder, evenLayers, onlyUsual, translate } from './framework.js';

/** By the names of torch.distributed.pipelining.schedules. */
const SCHEDULES: Readonly<Partial<Record<ScheduleName, string>>> = {
  gpipe: 'GPipe',
  '1f1b': '1F1B',
  'interleaved-1f1b': 'Interleaved1F1B',
  'zb-v': 'ZBVZeroBubble',
};

const mesh: Rule = ({ plan, pipe, replica, data, sequence, model, set }) => {
  const sharded = plan.shard === 'gradients' || plan.shard === 'parameters';
  const withReplica = sharded && plan.shardAxes.includes('replica');
  const shards = sharded ? data * (withReplica ? replica : 1) : 1;
  set('[parallelism]');
  set(`data_parallel_replicate_degree = ${(replica * data) / shards}`);
  set(`data_parallel_shard_degree = ${shards}`);
  set(`tensor_parallel_degree = ${model}`);
  set(`pipeline_parallel_degree = ${pipe}`);
  if (sequence > 1) set(`context_parallel_degree = ${sequence}`);
};

const schedule: Rule = (translation) => {
  const { plan, pipe, microbatch, layers, set, lacks } = translation;
  if (pipe === 1) return;
  const name = SCHEDULES[plan.schedule];
  if (name === undefined) lacks('schedule', `torch.distributed.pipelining has ${Object.values(SCHEDULES).join(', ')}`);
  else set(`pipeline_parallel_schedule = "${name}"`);
  set(`pipeline_parallel_microbatch_size = ${microbatch}`);
  if (evenLayers(translation)) set(`pipeline_parallel_layers_per_stage = ${layers[0]}`);
};

const stageLayers: Rule = (translation) => {
  const { pipe, layers, set } = translation;
  if (pipe === 1 || evenLayers(translation)) return;
  const starts = layers.slice(0, -1).map((_, index) => layers.slice(0, index + 1).reduce((sum, one) => sum + one, 0));
  set(`pipeline_parallel_split_points = [${starts.map((layer) => `"layers.${layer}"`).join(', ')}]`);
};

const shard: Rule = ({ plan, set, lacks }) => {
  if (plan.shard === 'optimizer')
    lacks('shard', 'FSDP shards parameters and gradients with the optimizer state; gradients comes nearest');
  if (plan.shard === 'gradients') set('fsdp_reshard_after_forward = "never"');
  if (plan.shard === 'parameters') set('fsdp_reshard_after_forward = "always"');
};

const shardAxes: Rule = ({ plan, sequence, lacks }) => {
  if (plan.shard === 'none') return;
  if (plan.shardAxes.includes('model')) lacks('shardAxes', 'parameters are sharded over data and context parallelism');
  else if (sequence > 1 && !plan.shardAxes.includes('sequence'))
    lacks('shardAxes', 'parameters are sharded over context parallelism too');
};

const linears: Rule = ({ plan, set, lacks }) => {
  if (plan.linears === 'synchronous') return;
  set('enable_async_tensor_parallel = true');
  if (plan.linears !== 'ring') lacks('linears', 'enable_async_tensor_parallel (with torch.compile) goes one way round');
};

const rematerialize: Rule = ({ plan, lacks }) => {
  if (plan.rematerialize === 'matmuls')
    lacks('rematerialize', 'selective_ac_option = "op" keeps every other product, not all');
  if (plan.rematerialize === 'selective')
    lacks('rematerialize', 'fused attention makes scores again in any case: mode = "none" comes nearest');
};

/** The sections after `[parallelism]`. */
const otherSections: Rule = ({ job, plan, pipe, replica, data, microbatch, set }) => {
  const { compute } = job.precision;
  const modes = { none: 'none', selective: 'none', matmuls: 'selective', full: 'full' } as const;
  const local = pipe > 1 ? job.batch / (replica * data) : microbatch;
  set('');
  set('[training]');
  set(`local_batch_size = ${local}`);
  set(`global_batch_size = ${job.batch}`);
  set(`mixed_precision_param = "${compute === 'bf16' ? 'bfloat16' : 'float32'}"`);
  set('mixed_precision_reduce = "float32"');
  set('');
  set('[activation_checkpoint]');
  set(`mode = "${modes[plan.rematerialize]}"`);
  if (plan.rematerialize === 'matmuls') set('selective_ac_option = "op"');
};

const RULES: Rules = {
  mesh,
  microbatches: elsewhere,
  ...TORUS,
  ...fixedOrder('its mesh is ordered pp, dp_replicate, dp_shard, cp, tp, the innermost last'),
  schedule,
  virtualStages: elsewhere,
  stageLayers,
  scheduleMemory: onlyUsual('scheduleMemory', 'its schedules leave no choice'),
  overlapTransfers: onlyUsual('overlapTransfers', 'sends go on beside computing'),
  rematerialize,
  rematerializeLayers: onlyUsual(
    'rematerializeLayers',
    'selective_ac_option = "2" takes every second layer, not a list',
  ),
  keepProducts: onlyUsual(
    'keepProducts',
    'per_op_sac_force_recompute_mm_shapes_by_fqns names what is made again instead',
  ),
  activations: ({ plan, model, lacks }) => {
    if (model > 1 && plan.activations !== 'sequence')
      lacks('activations', 'its tensor parallelism shards the stream by tokens: activations=sequence');
  },
  linears,
  shard,
  shardAxes,
  shardTensors: onlyUsual('shardTensors', 'fully_shard(ignored_params=…) in the code of the model'),
  shardMinimum: onlyUsual('shardMinimum', 'fully_shard(ignored_params=…) in the code of the model'),
  prefetch: ({ plan, lacks }) => {
    if (plan.shard === 'parameters' && plan.prefetch !== 1)
      lacks('prefetch', 'set_modules_to_forward_prefetch in the code of the model; one layer ahead without it');
  },
  bucket: onlyUsual('bucket', 'FSDP gathers and reduces a layer at once'),
  overlapGradients: onlyUsual('overlapGradients', 'gradients are reduced beside the backward pass'),
  optimizerOffload: onlyUsual(
    'optimizerOffload',
    "training.enable_cpu_offload, which keeps parameters and gradients in the host's memory as well, and updates there",
  ),
  castParameters: onlyUsual('castParameters', 'FSDP casts before each gather: cast-parameters=where-used'),
  compute: ({ job, lacks }) => {
    if (!['bf16', 'f32'].includes(job.precision.compute)) lacks('compute', 'bfloat16 or float32');
  },
  parameters: ({ job, lacks }) => {
    if (job.precision.parameters !== 'f32') lacks('parameters', 'training.dtype in later versions; float32 here');
  },
  gradients: ({ job, lacks }) => {
    if (job.precision.gradients !== 'f32') lacks('gradients', 'mixed_precision_reduce knows float32');
  },
  gradientReduction: onlyUsual('gradientReduction', 'mixed_precision_reduce is the type of both'),
  optimizerState: ({ job, lacks }) => {
    if (job.precision.optimizer !== job.precision.parameters) lacks('optimizerState', 'of the type of the parameters');
  },
  lossScale: elsewhere,
  lossScaleInterval: elsewhere,
};

export const torchtitan = (job: Job): FrameworkSettings =>
  translate(job, { framework: 'torchtitan', form: 'toml', rules: RULES, finish: otherSections });
