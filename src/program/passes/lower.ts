/** The order of the passes: a forward program becomes a training step. Each pass' result is verified. */
import { omit } from '../../omit.js';
import type { CounterInput, FloatType, Op, Program } from '../types.js';
import { typeBytes } from '../types.js';
import type { Derived } from '../verify.js';
import { verify } from '../verify.js';
import { Builder } from '../builder.js';
import { accumulateMicrobatches, withLayerSums } from './accumulate-microbatches.js';
import { differentiate } from './differentiate.js';
import { fuse } from './fuse.js';
import type { Keeping } from './keeping.js';
import { KEEP_LEAST } from './keeping.js';
import type { LossScaling } from './loss-scale.js';
import { counterInput } from './loss-scale.js';
import { monitorStep } from './monitor.js';
import type { LinearMode } from './overlap-linears/index.js';
import { overlapLinears } from './overlap-linears/index.js';
import type { OptimizerOffload } from './optimizer-offload.js';
import { prefetchParameters } from './prefetch.js';
import type { ReduceOptions } from './reduce-gradients.js';
import { castGradients, reduceGradients, reduceInLayers } from './reduce-gradients.js';
import type { Rematerialization } from './residuals.js';
import type { Prefetch, ShardChoice, ShardOptions } from './shard-choice.js';
import { chooseShards } from './shard-choice.js';
import { copiesOf, copyOnce, dropCasts } from './copy-once.js';
import { gatherWhereUsed } from './gather-where-used.js';
import { splitLayers } from './split-layers.js';
import type { OptimizerConfig } from './update-parameters.js';
import { updateParameters } from './update-parameters.js';

export interface LowerOptions {
  readonly microbatches: number;
  readonly optimizer: OptimizerConfig;
  /** What the backward pass of a layer makes again; `none` unless given. */
  readonly rematerialize?: Rematerialization;
  /** Parameters of layers, the products with which are kept all the same. */
  readonly keepProducts?: readonly string[];
  /** The layers that do; all unless given. */
  readonly rematerializeLayers?: readonly number[];
  /**
   * Whether one kernel computes attention, whose backward makes scores again by itself, so that they are never kept: the
   * stack's `attention`. Not unless given.
   */
  readonly fusedAttention?: boolean;
  /** What is kept that could be made again without arithmetic; the least unless given. */
  readonly keeping?: Keeping;
  /** Whether the collectives of linears are rings beside their products; `synchronous` unless given. */
  readonly linears?: LinearMode;
  /** Parameters, gradients and optimizer state of which each chip keeps a part. */
  readonly shard?: ShardOptions;
  /** Most bytes that one launch gathers or reduces; a layer's tensors in one unless given. */
  readonly bucketBytes?: number;
  /** Whether layers' gradients are reduced while the backward pass of the last microbatch goes on; not unless given. */
  readonly overlapGradients?: boolean;
  /**
   * Whether parameters that are used in a smaller type are cast once a step, into copies that all microbatches work on,
   * and not where they are used; those that are gathered once are in any case. Not unless given.
   */
  readonly castOnce?: boolean;
  /** The type that gradients are summed in; the parameters' unless given. */
  readonly gradientType?: FloatType;
  /** The type that chips sum gradients in; the gradients' unless given. */
  readonly reductionType?: FloatType;
  /** The type of optimizer state; the parameters' unless given. */
  readonly optimizerType?: FloatType;
  /** Where optimizer state lies, and who updates; on the chip unless given. */
  readonly optimizerOffload?: OptimizerOffload;
  /** Dynamic loss scaling; none unless given. */
  readonly lossScaling?: LossScaling;
  /** Keeps `gradient:NAME` among the outputs, to look at. */
  readonly keepGradients?: boolean;
  /** Takes each pass' result as it is: of programs that nothing but bounds and a search read. Not unless given. */
  readonly unverified?: boolean;
  /** Also computes what is told of a step beside its loss, see `monitor.ts`; not unless given. */
  readonly monitored?: boolean;
}

export type Verified = (program: Program) => Program;

/** Verifies one version of a program after the other. */
export function verifier({ unverified = false }: Pick<LowerOptions, 'unverified'> = {}): Verified {
  if (unverified) return (program) => program;
  const derived: Derived = new Map();
  return (program) => verify(program, derived);
}

const NOTHING: ShardChoice = new Map();

/** Layers that rematerialize lie in repeats of their own. */
function policies(forward: Program, { rematerialize = 'none', rematerializeLayers }: LowerOptions) {
  if (rematerializeLayers === undefined) return { program: forward, rematerialize: () => rematerialize };
  const chosen = new Set(rematerializeLayers);
  const { program, labels } = splitLayers(forward, (layer) => (chosen.has(layer) ? rematerialize : 'none'));
  return { program, rematerialize: (op: Op) => labels.get(op.id) ?? rematerialize };
}

export const parameterType = (program: Program): FloatType =>
  program.values[program.inputs.find(({ kind }) => kind === 'parameter')!.value]!.type.dtype as FloatType;

/** Which tensors are sharded beyond the model's own sharding. */
export const shardsOf = (forward: Program, { shard }: LowerOptions): ShardChoice =>
  shard === undefined ? NOTHING : chooseShards(forward, shard);

/** Of which parameters a step works on copies that are made once. */
export const copiesFor = (
  forward: Program,
  choice: ShardChoice,
  { shard, castOnce = false }: LowerOptions,
): ShardChoice => (shard?.stage === 'parameters' ? NOTHING : copiesOf(forward, choice, castOnce));

/** In stages 2 and 3 each microbatch's gradients are dealt out before they are summed up. */
export const isDealt =
  (choice: ShardChoice, { shard }: LowerOptions) =>
  (name: string): boolean =>
    shard?.stage !== 'optimizer' && choice.has(name.replace('gradient:', ''));

export const reductionOf = (
  choice: ShardChoice,
  { bucketBytes = Infinity, reductionType }: LowerOptions,
): ReduceOptions => ({
  choice,
  bucketBytes,
  ...(reductionType === undefined ? {} : { type: reductionType }),
});

/** A microbatch's gradients, as they are summed up over microbatches. */
export function microbatchGradients(
  forward: Program,
  choice: ShardChoice,
  options: LowerOptions,
  verified: Verified,
): { readonly program: Program; readonly counter: CounterInput | undefined } {
  const { shard, bucketBytes = Infinity, lossScaling } = options;
  const gradientType = options.gradientType ?? parameterType(forward);
  const split = policies(verified(forward), options);
  const sharded = verified(
    shard?.stage === 'parameters'
      ? gatherWhereUsed(split.program, choice, { bucketBytes, gradientType })
      : dropCasts(split.program, copiesFor(forward, choice, options)),
  );

  const builder = Builder.from(sharded);
  const counter = lossScaling && counterInput(builder, 'loss-scale', lossScaling.initial, 'f32');
  const counted =
    counter === undefined
      ? sharded
      : { ...builder.finish([...sharded.inputs, counter], sharded.outputs), ops: sharded.ops };

  const { rematerialize } = split;
  const { keepProducts = [], fusedAttention = false, keeping = KEEP_LEAST } = options;
  const scale = counter === undefined ? {} : { scale: counter.value };
  const kept = new Set(keepProducts.map((name) => name.replace(/kernel$/, 'matmul')));
  const differentiated = verified(differentiate(counted, { rematerialize, kept, fusedAttention, keeping, ...scale }));
  const cast = verified(castGradients(differentiated, gradientType));
  if (shard?.stage !== 'gradients') return { program: cast, counter };
  const dealing = { ...reductionOf(choice, options), onlyDealt: true };
  return { program: reduceAll(cast, dealing, options.overlapGradients ?? false, verified), counter };
}

/** Overlap of collectives and computation, and kernels: of a program that is complete. */
export function schedule(
  program: Program,
  { shard, overlapGradients = false, linears }: LowerOptions,
  verified: Verified,
): Program {
  const ahead = verified(prefetchParameters(program, { gathers: prefetchOf(shard), reductions: overlapGradients }));
  return verified(fuse(verified(overlapLinears(ahead, linears ?? 'synchronous'))));
}

/**
 * @param forward one microbatch's forward pass, with an output `loss`
 */
export function lowerTrainingStep(forward: Program, options: LowerOptions): Program {
  const { microbatches, optimizer, bucketBytes = Infinity, overlapGradients = false, lossScaling } = options;
  const verified = verifier(options);
  const choice = shardsOf(forward, options);
  const reduction = reductionOf(choice, options);
  const { program: gradients, counter } = microbatchGradients(forward, choice, options, verified);
  const apart = overlapGradients && mostArePending(gradients);
  const accumulated = verified(
    accumulateMicrobatches(gradients, { count: microbatches, lastApart: apart, late: isDealt(choice, options) }),
  );
  const reduced = reduceAll(accumulated, reduction, overlapGradients && (microbatches === 1 || apart), verified);
  const copies = copiesFor(forward, choice, options);
  const copied = copies.size > 0 ? verified(copyOnce(reduced, copies, parameterType(forward), bucketBytes)) : reduced;

  const update = {
    ...(options.optimizerType === undefined ? {} : { optimizerType: options.optimizerType }),
    ...(options.optimizerOffload === undefined ? {} : { offload: options.optimizerOffload }),
    ...(counter === undefined ? {} : { lossScale: { scaling: lossScaling!, counter } }),
    keepGradients: options.keepGradients ?? false,
  };
  const step = verified(updateParameters(copied, optimizer, update));
  return schedule(options.monitored === true ? verified(monitorStep(step)) : step, options, verified);
}

/**
 * One microbatch's forward and backward pass as kernels, of parameters that are there whole: what all plans with the same
 * local shapes have in common, whatever else they shard, reduce, repeat or cut into stages. Not verified: nothing runs it.
 *
 * @param forward of a mesh without axes that a batch is split over
 * @param summed whether it adds the gradients of layers to those of the microbatches before
 */
export function lowerMicrobatch(forward: Program, options: LowerOptions, summed = false): Program {
  const { linears = 'synchronous', ...rest } = omit(options, 'shard', 'lossScaling');
  const { program } = microbatchGradients(forward, NOTHING, rest, verifier({ unverified: true }));
  return fuse(overlapLinears(summed ? withLayerSums(program) : program, linears));
}

const reduceAll = (program: Program, options: ReduceOptions, inLayers: boolean, verified: Verified): Program =>
  verified(reduceGradients(inLayers ? verified(reduceInLayers(program, options)) : program, options));

/** Parameters that are gathered once are gathered while the step begins. */
const prefetchOf = (shard: ShardOptions | undefined): Prefetch =>
  shard === undefined ? 0 : shard.stage === 'parameters' ? shard.prefetch : 1;

/** Whether most bytes of the layers' gradients are still to be summed: then it pays to have the last microbatch apart. */
export function mostArePending({ values, outputs }: Program): boolean {
  const layers = outputs
    .filter(({ name }) => name.startsWith('gradient:'))
    .map(({ value }) => values[value]!.type)
    .filter(({ stack }) => stack !== undefined);
  const bytesOf = (types: typeof layers): number => types.reduce((total, type) => total + typeBytes(type), 0);
  const pending = layers.filter(({ states }) => Object.values(states).includes('partial'));
  return bytesOf(pending) > bytesOf(layers) / 2;
}

/** A forward program alone, to evaluate with: on the parameters as a training step with these options keeps them. */
export function lowerForward(forward: Program, options: Pick<LowerOptions, 'shard' | 'bucketBytes'>): Program {
  const { shard, bucketBytes = Infinity } = options;
  const verified = verifier();
  const whole = verified(forward);
  if (shard === undefined) return verified(fuse(whole));
  const gradientType = parameterType(forward);
  const gathered = verified(gatherWhereUsed(whole, chooseShards(whole, shard), { bucketBytes, gradientType }));
  return verified(fuse(verified(prefetchParameters(gathered, { gathers: shard.prefetch, reductions: false }))));
}
