/**
 * PyTorch's own pieces as a program calls them [docs.pytorch.org: torch.distributed.fsdp.fully_shard,
 * torch.nn.parallel.DistributedDataParallel, torch.distributed.tensor.parallel, torch.distributed.pipelining,
 * torch.distributed.optim.ZeroRedundancyOptimizer, torch.utils.checkpoint].
 */
import type { Job } from '../../job/index.js';
import { axesInOrder, axisSize } from '../../mesh/index.js';
import type { FloatType } from '../../program/index.js';
import type { ScheduleName } from '../../program/schedules/index.js';
import type { FrameworkSettings, Rule, Rules, Translation } from './framework.js';
import { TORUS, elsewhere, evenLayers, onlyUsual, translate } from './framework.js';

const TORCH_TYPES: Readonly<Record<FloatType, string>> = {
  f64: 'torch.float64',
  f32: 'torch.float32',
  bf16: 'torch.bfloat16',
  f16: 'torch.float16',
};

const SCHEDULES: Readonly<Partial<Record<ScheduleName, string>>> = {
  gpipe: 'ScheduleGPipe',
  '1f1b': 'Schedule1F1B',
  'interleaved-1f1b': 'ScheduleInterleaved1F1B',
  'zb-v': 'ScheduleZBVZeroBubble',
};

const bytesInMebibyte = 2 ** 20;

/** Whether `fully_shard` does it, or DistributedDataParallel. */
const usesFsdp = ({ plan }: Translation): boolean => plan.shard === 'gradients' || plan.shard === 'parameters';

const mesh: Rule = ({ plan, set }) => {
  const axes = axesInOrder(plan.mesh, plan.axisOrder);
  if (axes.length === 0) return;
  const sizes = axes.map((name) => axisSize(plan.mesh, name)).join(', ');
  const names = axes.map((name) => `"${name}"`).join(', ');
  set(`mesh = init_device_mesh("cuda", (${sizes},), mesh_dim_names=(${names},))`);
};

const schedule: Rule = (translation) => {
  const { plan, pipe, layers, set, lacks } = translation;
  if (pipe === 1) return;
  set(
    `# stages: ${evenLayers(translation) ? `${layers.length} of ${layers[0]} layers` : `layers ${layers.join(', ')}`}`,
  );
  const name = SCHEDULES[plan.schedule];
  if (name === undefined) lacks('schedule', `torch.distributed.pipelining has ${Object.values(SCHEDULES).join(', ')}`);
  else set(`schedule = ${name}(stages, n_microbatches=${plan.microbatches}, loss_fn=loss)`);
};

const microbatches: Rule = (translation) => {
  const { plan, pipe, microbatch, set } = translation;
  set(`# batches of ${microbatch} examples a rank, ${plan.microbatches} to a step`);
  if (pipe > 1 || plan.microbatches === 1) return;
  if (plan.shard === 'none') set('# all but the last backward under model.no_sync()');
  if (plan.shard === 'optimizer') set('# all but the last backward under model.no_sync(); optimizer.step() shards');
};

const activations: Rule = ({ plan, model, set, lacks }) => {
  if (model === 1) return;
  const style = plan.activations === 'sequence' ? ', with SequenceParallel() for norms' : '';
  set(`parallelize_module(layer, mesh["model"], {…: ColwiseParallel(), …: RowwiseParallel()${style}})`);
  if (plan.activations === 'width') lacks('activations', 'SequenceParallel shards the stream by tokens, not by width');
};

const rematerialize: Rule = ({ plan, set, lacks }) => {
  const { rematerialize: what } = plan;
  if (what === 'full') set('layer = checkpoint_wrapper(layer)  # of all layers that make activations again');
  if (what === 'matmuls')
    set('# checkpoint(…, context_fn=partial(create_selective_checkpoint_contexts, [torch.ops.aten.mm.default]))');
  if (what === 'selective') set('# F.scaled_dot_product_attention as one kernel, which makes scores again');
  if (plan.keepProducts !== 'none') lacks('keepProducts', 'a policy of create_selective_checkpoint_contexts, by op');
};

const sharding: Rule = (translation) => {
  const { plan, job, replica, data, sequence, set } = translation;
  if (replica * data * sequence === 1) return;
  const { compute, gradients } = job.precision;
  if (usesFsdp(translation)) {
    const hybrid = replica > 1 && !plan.shardAxes.includes('replica');
    const over = hybrid ? 'mesh["replica", "data"]' : 'mesh["data"]';
    const policy = `MixedPrecisionPolicy(param_dtype=${TORCH_TYPES[compute]}, reduce_dtype=${TORCH_TYPES[gradients]})`;
    const reshard = plan.shard === 'parameters' ? 'True' : 'False';
    const options = `mesh=${over}, mp_policy=policy, reshard_after_forward=${reshard}`;
    set(`policy = ${policy}`);
    set(`for layer in model.layers: fully_shard(layer, ${options})`);
    set(`fully_shard(model, ${options})`);
    if (plan.prefetch !== 1 && plan.prefetch !== 'layer')
      set(`layer.set_modules_to_forward_prefetch(next_layers)  # ${plan.prefetch} of them`);
    return;
  }
  const bucket = plan.bucket === 'none' ? '' : `, bucket_cap_mb=${Math.round(plan.bucket / bytesInMebibyte)}`;
  set(`model = DistributedDataParallel(model${bucket})`);
  if (plan.shard === 'optimizer') set('optimizer = ZeroRedundancyOptimizer(model.parameters(), torch.optim.AdamW)');
  if (compute !== 'f32') set(`with torch.autocast("cuda", dtype=${TORCH_TYPES[compute]}): …`);
};

const RULES: Rules = {
  mesh,
  microbatches,
  ...TORUS,
  axisOrder: elsewhere,
  schedule,
  virtualStages: elsewhere,
  stageLayers: elsewhere,
  scheduleMemory: onlyUsual('scheduleMemory', 'its schedules leave no choice'),
  overlapTransfers: onlyUsual('overlapTransfers', 'sends go on beside computing'),
  rematerialize,
  rematerializeLayers: ({ plan, set }) => {
    if (plan.rematerializeLayers !== 'all') set(`# of layers ${plan.rematerializeLayers.join(', ')} alone`);
  },
  keepProducts: elsewhere,
  activations,
  linears: ({ plan, set, lacks }) => {
    if (plan.linears === 'synchronous') return;
    set('torch._inductor.config._micro_pipeline_tp = True  # with torch.compile');
    if (plan.linears !== 'ring') lacks('linears', 'asynchronous tensor parallelism goes one way round');
  },
  shard: sharding,
  shardAxes: ({ plan, lacks }) => {
    if (plan.shard !== 'none' && plan.shardAxes.includes('model'))
      lacks('shardAxes', 'what parallelize_module leaves whole is sharded over the mesh of fully_shard alone');
  },
  shardTensors: onlyUsual('shardTensors', 'fully_shard(…, ignored_params=…)'),
  shardMinimum: onlyUsual('shardMinimum', 'fully_shard(…, ignored_params=…)'),
  prefetch: ({ plan, lacks }) => {
    if (plan.prefetch === 'layer') lacks('prefetch', 'fully_shard gathers a layer at once, one ahead');
  },
  bucket: (translation) => {
    if (translation.plan.bucket !== 'none' && usesFsdp(translation))
      translation.lacks('bucket', 'fully_shard gathers and reduces a layer at once');
  },
  overlapGradients: ({ plan, lacks }) => {
    if (!plan.overlapGradients) lacks('overlapGradients', 'gradients are reduced beside the backward pass');
  },
  optimizerOffload: onlyUsual(
    'optimizerOffload',
    "fully_shard(…, offload_policy=CPUOffloadPolicy()), which keeps parameters and gradients in the host's memory as well, and updates there",
  ),
  castParameters: (translation) => {
    if (translation.plan.castParameters === 'once' && !usesFsdp(translation))
      translation.lacks('castParameters', 'torch.autocast casts where parameters are used');
  },
  compute: ({ job, lacks }) => {
    if (job.precision.compute === 'f16')
      lacks('compute', 'float16 needs ShardedGradScaler or GradScaler around the step');
  },
  parameters: ({ job, set }) => {
    if (job.precision.parameters !== 'f32') set(`model = model.to(${TORCH_TYPES[job.precision.parameters]})`);
  },
  gradients: (translation) => {
    const { gradients, parameters } = translation.job.precision;
    if (!usesFsdp(translation) && gradients !== parameters)
      translation.lacks('gradients', 'DistributedDataParallel adds up and reduces them in the type of the parameters');
  },
  gradientReduction: onlyUsual('gradientReduction', 'of the type that gradients are added up in'),
  optimizerState: ({ job, lacks }) => {
    if (job.precision.optimizer !== job.precision.parameters) lacks('optimizerState', 'of the type of the parameters');
  },
  lossScale: ({ job, plan, set }) => {
    if (job.precision.compute === 'f16')
      set(`scaler = GradScaler(init_scale=${plan.lossScale}, growth_interval=${plan.lossScaleInterval})`);
  },
  lossScaleInterval: elsewhere,
};

export const fsdp = (job: Job): FrameworkSettings =>
  translate(job, { framework: 'PyTorch FSDP', form: 'python', rules: RULES });
