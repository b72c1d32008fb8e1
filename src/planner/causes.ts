/** What may make a step slower than its prediction, each as a change of the job that can be simulated. */
import type { RateFactors, Stack } from '../hardware/index.js';
import type { Job, Plan } from '../job/index.js';
import { microbatchChoices } from '../job/index.js';
import { REMATERIALIZATIONS } from '../program/index.js';
import { seconds } from '../units.js';
import type { AssessOptions } from './variation.js';
import { onScaledHardware, withOptions } from './variation.js';

/** A job as it may have run. */
export interface Suspect {
  readonly job: Job;
  readonly options: AssessOptions;
}

/** Something that is either so or not. */
export interface Setting {
  readonly name: string;
  /** How to find out, and what to do. */
  readonly check: string;
  readonly suspect: Suspect;
}

/** Something that is slower by a factor of at least 1, which is to be found. */
export interface Degree {
  readonly name: string;
  readonly check: string;
  at(factor: number): Suspect;
}

export function settingsOf(job: Job, stack: Stack): Setting[] {
  const { plan, hardware } = job;
  const found: Setting[] = [];
  const option = (name: string, options: Partial<Plan>, check: string): void => {
    const changed = withOptions(job, options);
    if (changed !== undefined) found.push({ name, check, suspect: { job: changed, options: {} } });
  };
  const software = (name: string, change: Partial<Stack>, check: string): void => {
    found.push({ name, check, suspect: { job, options: { stack: { ...stack, ...change } } } });
  };

  for (const more of REMATERIALIZATIONS.slice(REMATERIALIZATIONS.indexOf(plan.rematerialize) + 1))
    option(
      `recomputes more: rematerialize=${more}`,
      { rematerialize: more },
      'the framework’s recompute or remat setting, as it is logged at the start',
    );
  if (plan.overlapGradients)
    option(
      'gradients are reduced after the backward pass',
      { overlapGradients: false },
      'a profile: reductions should run beside the backward pass (--overlap-grad-reduce, reducer buckets)',
    );
  if (stack.asynchronous.length > 0)
    software(
      'nothing is exchanged beside kernels',
      { asynchronous: [] },
      'a profile: collectives on a stream of their own (CUDA_DEVICE_MAX_CONNECTIONS), XLA’s latency-hiding scheduler',
    );
  if (plan.linears !== 'synchronous')
    option(
      'linear layers wait for their collectives',
      { linears: 'synchronous' },
      'whether collective matmuls are on (--tp-comm-overlap, XLA’s windowed einsums)',
    );
  if (plan.shard === 'parameters' && plan.prefetch !== 0)
    option(
      'parameters are gathered where they are used',
      { prefetch: 0 },
      'a profile: the next layer’s gather should start before this layer ends (backward prefetch, limit_all_gathers)',
    );
  if (stack.attention === 'fused') {
    software(
      'attention is not fused',
      { attention: 'unfused' },
      'the attention backend that is logged; a fallback for a mask, a head width or a type',
    );
    const kernels = Object.keys(hardware.chip.fusedAttention ?? {}) as NonNullable<Stack['attentionKernels']>;
    for (const kernel of kernels.slice(1))
      software(
        `attention runs as ${kernel}`,
        { attentionKernels: [kernel] },
        'the version of the attention kernel that is installed and chosen',
      );
  }
  if (stack.elementwise !== 'none')
    software(
      'elementwise ops are not fused',
      { elementwise: 'none' },
      'whether fused kernels are built and on (torch.compile, Apex, bias-activation fusions)',
    );
  if (stack.norms === 'fused')
    software('norms run op by op', { norms: 'composed' }, 'whether the fused norm kernel is installed and on');
  if (stack.epilogues !== 'separate')
    software(
      'matmuls write before biases and activations',
      { epilogues: 'separate' },
      'whether bias and activation are fused into linear layers',
    );
  if (hardware.chip.matmul.f32 !== undefined && (plan.compute ?? hardware.defaultDtype) !== 'f32')
    option(
      'computes in f32',
      { compute: 'f32' },
      'the types of matmul operands in a profile; autocast around all layers',
    );
  const more = microbatchChoices(job, plan.mesh).find((count) => count > plan.microbatches);
  if (more !== undefined)
    option(
      `smaller microbatches: ${more} of them`,
      { microbatches: more },
      'the microbatch size and the accumulation steps that the framework logs',
    );
  return found;
}

/** Runs of layers in a step, on all chips: a few seconds of simulating each chip. */
const MOST_LAYERS_RUN = 50_000;

export function degreesOf(job: Job, stack: Stack): Degree[] {
  const { hardware, chips } = job;
  const { topology } = hardware;
  const rates = (name: string, scaled: (slower: number) => RateFactors, check: string): Degree => ({
    name,
    check,
    at: (factor) => ({ job: onScaledHardware(job, scaled(1 / factor), 'achievable'), options: {} }),
  });
  const isShared = topology.kind === 'shared-memory';
  const isNode = topology.kind === 'switch' || topology.kind === 'fully-connected';
  // With more of them one slow chip takes a minute to simulate, and about what all of them as slow take.
  const oneByOne = chips === 1 || chips * job.model.depth * job.plan.microbatches <= MOST_LAYERS_RUN;
  const slices = topology.kind === 'torus' ? topology.largestSlice.reduce((a, b) => a * b, 1) : 0;
  const crossesNetwork =
    (isNode && topology.network !== undefined && chips > topology.chipsPerNode) ||
    (topology.kind === 'torus' && topology.dataCenterNetwork !== undefined && chips > slices);
  return [
    ...(chips > 1
      ? [
          rates(
            isShared ? 'copies between ranks' : isNode ? 'links in a node' : 'links',
            (links) => ({ links }),
            isNode
              ? 'a bandwidth test inside a node (nccl-tests); topology and algorithms that the library logs'
              : 'a bandwidth test along each axis; whether the slice has the shape that was asked for',
          ),
        ]
      : []),
    ...(crossesNetwork
      ? [
          rates(
            'network between nodes',
            (network) => ({ network }),
            'a bandwidth test across nodes (nccl-tests); whether GPUDirect and all cards are used; other jobs’ traffic',
          ),
        ]
      : []),
    rates(
      oneByOne ? 'all chips compute' : 'all chips, or one that all wait for, compute',
      (compute) => ({ compute, attention: compute }),
      `clocks and power limits while it runs (nvidia-smi -q -d CLOCK,PERFORMANCE)${oneByOne ? '' : ', chip by chip, and step times chip by chip'}`,
    ),
    rates('memory', (memoryBandwidth) => ({ memoryBandwidth }), 'a copy benchmark on one chip'),
    ...(chips > 1 && oneByOne
      ? [
          {
            name: 'one chip computes',
            check: 'step times and clocks chip by chip: all wait for the slowest',
            at: (factor: number): Suspect => ({ job, options: { slowChip: factor } }),
          },
        ]
      : []),
    ...(stack.hostTimePerOp > 0
      ? [
          {
            name: 'the host launches ops',
            check:
              'a profile: gaps between kernels; CUDA graphs, torch.compile, a host core of its own for each process',
            at: (factor: number): Suspect => ({
              job,
              options: { stack: { ...stack, hostTimePerOp: seconds(stack.hostTimePerOp * factor) } },
            }),
          },
        ]
      : []),
  ];
}
