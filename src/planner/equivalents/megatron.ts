/**
 * Megatron-LM's flags [NVIDIA/Megatron-LM, megatron/training/arguments.py; Megatron Core's user guide].
 */
import type { Job } from '../../job/index.js';
import { chunkCount } from '../../job/index.js';
import { axesInOrder } from '../../mesh/index.js';
import type { FrameworkSettings, Rule, Rules, Translation } from './framework.js';
import { TORUS, elsewhere, evenLayers, onlyUsual, translate } from './framework.js';

const mesh: Rule = ({ pipe, sequence, model, set }) => {
  set(`--tensor-model-parallel-size ${model}`);
  if (pipe > 1) set(`--pipeline-model-parallel-size ${pipe}`);
  if (sequence > 1) set(`--context-parallel-size ${sequence}`);
};

const microbatches: Rule = ({ job, microbatch, set }) => {
  set(`--micro-batch-size ${microbatch}`);
  set(`--global-batch-size ${job.batch}`);
};

const schedule: Rule = ({ plan, pipe, set, lacks }) => {
  if (pipe === 1 || plan.schedule === '1f1b') return;
  if (plan.schedule !== 'interleaved-1f1b') {
    lacks('schedule', 'Megatron-LM has 1F1B and interleaved 1F1B');
    return;
  }
  set(`--num-virtual-stages-per-pipeline-rank ${chunkCount(plan)}`);
  if (plan.microbatches % pipe !== 0) lacks('microbatches', `interleaved 1F1B wants a multiple of the ${pipe} stages`);
};

/** `Et*3|t*4|t*3L` */
const layout = (layers: readonly number[]): string =>
  layers
    .map((count, index) => {
      const part = count === 0 ? '' : count === 1 ? 't' : `t*${count}`;
      return `${index === 0 ? 'E' : ''}${part}${index === layers.length - 1 ? 'L' : ''}`;
    })
    .join('|');

const stageLayers: Rule = (translation) => {
  if (translation.pipe > 1 && !evenLayers(translation))
    translation.set(`--pipeline-model-parallel-layout "${layout(translation.layers)}"`);
};

const overlapTransfers: Rule = ({ plan, pipe, set, lacks }) => {
  if (pipe === 1) return;
  const interleaved = plan.schedule === 'interleaved-1f1b';
  if (interleaved && !plan.overlapTransfers) set('--no-overlap-p2p-communication');
  if (!interleaved && plan.overlapTransfers)
    lacks('overlapTransfers', 'sends are overlapped in interleaved 1F1B alone');
};

const rematerialize: Rule = ({ plan, pipe, set, lacks }) => {
  const { rematerialize: what, rematerializeLayers: which } = plan;
  if (what === 'none') return;
  if (what === 'matmuls') {
    lacks('rematerialize', '--recompute-granularity knows selective (attention) and full');
    return;
  }
  set(`--recompute-granularity ${what}`);
  if (what === 'selective') {
    if (which !== 'all') lacks('rematerializeLayers', 'selective recomputation is of all layers');
    return;
  }
  if (which === 'all') set('--recompute-method uniform --recompute-num-layers 1');
  else if (pipe === 1 && which.every((layer, index) => layer === index))
    set(`--recompute-method block --recompute-num-layers ${which.length}`);
  else lacks('rematerializeLayers', '--recompute-method block takes the first layers of each stage');
};

const activations: Rule = ({ plan, model, set, lacks }) => {
  if (model === 1) return;
  if (plan.activations === 'sequence') set('--sequence-parallel');
  if (plan.activations === 'width') lacks('activations', 'the stream lies by tokens (--sequence-parallel) or whole');
};

const linears: Rule = ({ plan, set, lacks }) => {
  if (plan.linears === 'synchronous') return;
  if (plan.activations === 'sequence' && plan.linears === 'ring-bulk') set('--tp-comm-overlap');
  else
    lacks(
      'linears',
      '--tp-comm-overlap with --sequence-parallel comes nearest: rings that leave weight gradients whole',
    );
};

const STRATEGIES = { gradients: 'optim_grads', parameters: 'optim_grads_params' } as const;

const shard: Rule = ({ plan, replica, data, set, lacks }) => {
  if (plan.shard === 'none') return;
  set('--use-distributed-optimizer');
  if (plan.shard !== 'optimizer')
    set(`--use-megatron-fsdp --data-parallel-sharding-strategy ${STRATEGIES[plan.shard]} --ckpt-format fsdp_dtensor`);
  if (plan.overlapGradients) set('--overlap-param-gather');
  if (replica > 1 && data > 1 && !plan.shardAxes.includes('replica'))
    set(`--num-distributed-optimizer-instances ${replica}`);
  if (plan.shardAxes.includes('model'))
    lacks('shardAxes', 'state is sharded over the data-parallel group, context parallelism included');
};

const shardAxes: Rule = ({ plan, sequence, lacks }) => {
  if (plan.shard !== 'none' && sequence > 1 && !plan.shardAxes.includes('sequence'))
    lacks('shardAxes', 'state is sharded over context parallelism too');
};

const gradientBytes = { f64: 8, f32: 4, bf16: 2, f16: 2 } as const;

const bucket: Rule = ({ plan, job, set }) => {
  if (plan.bucket !== 'none')
    set(`--ddp-bucket-size ${Math.round(plan.bucket / gradientBytes[job.precision.gradients])}`);
};

const compute: Rule = ({ job, set, lacks }) => {
  const { compute: type } = job.precision;
  if (type === 'bf16') set('--bf16');
  else if (type === 'f16') set('--fp16');
  else if (type === 'f64') lacks('compute', 'f32, bf16 and fp16 are what it computes in');
};

const isHalf = ({ job }: Translation): boolean => ['bf16', 'f16'].includes(job.precision.compute);

const castParameters: Rule = (translation) => {
  if (isHalf(translation) && translation.plan.castParameters === 'where-used')
    translation.lacks('castParameters', 'a copy in the type of compute is kept besides: cast-parameters=once');
};

const gradients: Rule = ({ job, set, lacks }) => {
  const { gradients: type, compute: computed } = job.precision;
  if (type === 'f32' && computed === 'bf16') set('--accumulate-allreduce-grads-in-fp32');
  if (type === 'bf16') set('--grad-reduce-in-bf16');
  if (type === 'f64' || (type === 'f16' && computed !== 'f16')) lacks('gradients', 'f32, or the type of compute');
};

const optimizerState: Rule = ({ job, set, lacks }) => {
  const { optimizer } = job.precision;
  if (optimizer === 'bf16') set('--use-precision-aware-optimizer --exp-avg-dtype bf16 --exp-avg-sq-dtype bf16');
  if (optimizer === 'f64') lacks('optimizerState', 'f32 or less');
};

/** Its ranks are ordered tp-cp-ep-dp-pp, tensor innermost, or tp-cp-ep-pp-dp. */
const axisOrder: Rule = ({ plan, set, lacks }) => {
  if (plan.axisOrder === undefined) return;
  const order = axesInOrder(plan.mesh, plan.axisOrder).join();
  const stagesInside = axesInOrder(plan.mesh, ['pipe', 'sequence', 'model']).join();
  if (order === stagesInside) set('--use-tp-pp-dp-mapping');
  else lacks('axisOrder', 'ranks are ordered tp-cp-ep-dp-pp, tensor innermost, or tp-cp-ep-pp-dp');
};

const optimizerOffload: Rule = ({ plan, job, set, lacks }) => {
  if (plan.optimizerOffload === 'host-update') {
    set('--optimizer-cpu-offload --optimizer-offload-fraction 1.0 --overlap-cpu-optimizer-d2h-h2d');
    // It needs the optimizer that `optimizerState` asks for in bf16.
    if (job.precision.optimizer !== 'bf16') set('--use-precision-aware-optimizer');
    if (plan.shard === 'none')
      lacks('optimizerOffload', '--use-precision-aware-optimizer, which it needs, wants --use-distributed-optimizer');
  }
  if (plan.optimizerOffload === 'streamed')
    lacks('optimizerOffload', 'the host updates what it keeps: optimizer-offload=host-update');
};

const RULES: Rules = {
  mesh,
  microbatches,
  ...TORUS,
  axisOrder,
  schedule,
  virtualStages: elsewhere,
  stageLayers,
  scheduleMemory: onlyUsual('scheduleMemory', 'its schedules leave no choice'),
  overlapTransfers,
  rematerialize,
  rematerializeLayers: elsewhere,
  keepProducts: onlyUsual('keepProducts', '--recompute-modules names modules to make again, not products to keep'),
  activations,
  linears,
  shard,
  shardAxes,
  shardTensors: onlyUsual('shardTensors', 'all parameters are sharded alike'),
  shardMinimum: onlyUsual('shardMinimum', 'all parameters are sharded, packed into buckets'),
  prefetch: onlyUsual('prefetch', '--suggested-communication-unit-size says in elements how much is gathered ahead'),
  bucket,
  overlapGradients: ({ plan, replica, data, sequence, set }) => {
    if (plan.overlapGradients && replica * data * sequence > 1) set('--overlap-grad-reduce');
  },
  optimizerOffload,
  castParameters,
  compute,
  parameters: ({ job, lacks }) => {
    if (job.precision.parameters !== 'f32') lacks('parameters', 'the optimizer keeps them in f32');
  },
  gradients,
  gradientReduction: onlyUsual('gradientReduction', 'gradients are reduced in the type that they are added up in'),
  optimizerState,
  lossScale: ({ plan, job, set }) => {
    if (job.precision.compute === 'f16') set(`--initial-loss-scale ${plan.lossScale}`);
  },
  lossScaleInterval: ({ plan, job, set }) => {
    if (job.precision.compute === 'f16') set(`--loss-scale-window ${plan.lossScaleInterval}`);
  },
};

export const megatron = (job: Job): FrameworkSettings =>
  translate(job, { framework: 'Megatron-LM', form: 'flags', rules: RULES });
