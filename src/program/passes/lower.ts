/** The order of the passes: a forward program becomes a training step. Each pass' result is verified. */
import type { AxisName } from '../../mesh/index.js';
import type { FloatType, Program } from '../types.js';
import { verify } from '../verify.js';
import { accumulateMicrobatches } from './accumulate-microbatches.js';
import { differentiate } from './differentiate.js';
import { fuse } from './fuse.js';
import { reduceGradients } from './reduce-gradients.js';
import type { Rematerialization } from './residuals.js';
import type { OptimizerConfig } from './update-parameters.js';
import { updateParameters } from './update-parameters.js';

export interface LowerOptions {
  readonly microbatches: number;
  readonly optimizer: OptimizerConfig;
  /** What the backward pass of a layer makes again; `none` unless given. */
  readonly rematerialize?: Rematerialization;
  /** The layers that `rematerialize` is for; all unless given. */
  readonly rematerializeLayers?: readonly number[];
  readonly linears?: 'synchronous' | 'ring' | 'bidirectional';
  readonly shard?: {
    readonly stage: 'optimizer' | 'gradients' | 'parameters';
    readonly axes: readonly AxisName[];
    /** Names of parameters; all unless given. */
    readonly tensors?: readonly string[];
    readonly minimumElements: number;
    /** Layers. */
    readonly prefetch: number;
  };
  readonly bucketBytes?: number;
  readonly overlapGradients?: boolean;
  readonly gradientType?: FloatType;
  readonly optimizerType?: FloatType;
  readonly lossScaling?: { readonly initial: number; readonly interval: number };
  /** Keeps `gradient:NAME` among the outputs, to look at. */
  readonly keepGradients?: boolean;
}

/** @param forward one microbatch's forward pass, with an output `loss` */
export function lowerTrainingStep(forward: Program, options: LowerOptions): Program {
  const { microbatches, optimizer, rematerialize, keepGradients } = options;
  const differentiated = verify(differentiate(verify(forward), rematerialize));
  const accumulated = verify(accumulateMicrobatches(differentiated, microbatches));
  const reduced = verify(reduceGradients(accumulated));
  return verify(fuse(verify(updateParameters(reduced, optimizer, keepGradients))));
}
