/**
 * The SPMD program: one list of ops that every chip runs, over values whose types say how they lie on the mesh.
 * Programs are immutable data; passes make new ones. Letters used for shapes: B batch, S tokens, D width, H heads,
 * d head width, F MLP width, C classes, P patch side.
 */
import type { AxisStates, Mesh } from '../mesh/index.js';
import type { DType } from './dtype.js';
import { DTYPE_BYTES } from './dtype.js';
import type { Attributes, OpName } from './ops/attributes.js';

export * from './dtype.js';

export interface ValueType {
  /** What one rank holds. */
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly states: AxisStates;
  /**
   * Present when the value is a list of such tensors, one for each iteration of a repeated region (the parameters of
   * all layers, the residuals that the backward pass needs). It is a list and not a dimension: nothing is copied to
   * take one out.
   */
  readonly stack?: number;
}

export type Role = 'parameter' | 'gradient' | 'optimizer' | 'activation' | 'input';

export type ValueId = number;

export interface Value {
  readonly type: ValueType;
  readonly role: Role;
  /** For people and for parameters' identity; printed, not used to join anything. */
  readonly name?: string;
}

export type Phase = 'forward' | 'backward' | 'reduce' | 'optimizer';

export interface Op<N extends OpName = OpName> {
  readonly name: N;
  /** Stable across plans: `encoder/mlp/in#backward-weight`. Iterations of the regions around it complete it. */
  readonly id: string;
  readonly phase: Phase;
  readonly operands: readonly ValueId[];
  readonly results: readonly ValueId[];
  readonly attributes: Attributes[N];
  /** The body of a `repeat` or a `kernel`; it may use values from around it. */
  readonly region?: Region;
}

export interface Region {
  readonly args: readonly ValueId[];
  readonly ops: readonly Op[];
  readonly results: readonly ValueId[];
}

export type Initializer =
  | { readonly kind: 'zeros' }
  | { readonly kind: 'ones' }
  | { readonly kind: 'normal'; readonly standardDeviation: number };

/** Where a parameter belongs, for lists of parameters and for weight decay (the head's differs from the body's). */
export type ParameterGroup = 'body' | 'pooling' | 'classifier';

export interface ParameterInput {
  readonly kind: 'parameter';
  readonly value: ValueId;
  readonly name: string;
  readonly group: ParameterGroup;
  readonly initializer: Initializer;
  /** Biases, gains and position embeddings are not decayed. */
  readonly decayed: boolean;
  /** See `shardRanges`: parts of the sharded dimension that are dealt one by one. */
  readonly segments?: { readonly dimension: number; readonly sizes: readonly number[] };
}

export interface OptimizerInput {
  readonly kind: 'optimizer';
  readonly value: ValueId;
  /** The parameter whose state this is, and which slot: `first-moment`, `second-moment`, `momentum`. */
  readonly parameter: string;
  readonly slot: string;
}

export interface DataInput {
  readonly kind: 'data';
  readonly value: ValueId;
  readonly name: 'images' | 'labels' | 'learning-rate' | 'step';
}

export type ProgramInput = ParameterInput | OptimizerInput | DataInput;

export type StateInput = ParameterInput | OptimizerInput;

/** The name of the output that replaces an input for the next step: `parameter:NAME`, `optimizer:NAME:SLOT`. */
export const stateKey = (input: StateInput): string =>
  input.kind === 'parameter' ? `parameter:${input.name}` : `optimizer:${input.parameter}:${input.slot}`;

export interface ProgramOutput {
  /** `loss`, `logits`, `gradient:NAME`, `parameter:NAME`, `optimizer:NAME:SLOT`. */
  readonly name: string;
  readonly value: ValueId;
}

export interface Program {
  readonly mesh: Mesh;
  /** Indexed by ValueId; ids are unique over all regions. */
  readonly values: readonly Value[];
  readonly inputs: readonly ProgramInput[];
  readonly ops: readonly Op[];
  readonly outputs: readonly ProgramOutput[];
}

export const elementCount = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

/** Bytes on one rank, of all the tensors of a stacked value. */
export const typeBytes = (type: ValueType): number =>
  elementCount(type.shape) * DTYPE_BYTES[type.dtype] * (type.stack ?? 1);

/** The type of one element of a stacked value. */
export const unstacked = ({ shape, dtype, states }: ValueType): ValueType => ({ shape, dtype, states });
