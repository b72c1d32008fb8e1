/**
 * The SPMD program: one list of ops that every chip runs, over values whose types say how they lie on the mesh.
 * Programs are immutable data; passes make new ones. Letters used for shapes: B batch, S tokens, D width, H heads,
 * d head width, F MLP width, C classes, P patch side.
 */
import type { AxisStates, Mesh, Segments } from '../mesh/index.js';
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
  /** Present where it lies in the memory of the chip's host, and takes none of the chip's. */
  readonly memory?: 'host';
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
  /** The body of a `repeat`, a `manual` region or a `kernel`; it may use values from around it. */
  readonly region?: Region;
  /**
   * Of a collective or a transfer to or from the host: it is started and the ops after it are issued at once; the first that reads a result waits for it.
   * Collectives over one axis run one after the other, in the order they are started; so do transfers one way. A collective that is started
   * again, in the next iteration of a repeat, first waits for the one before, so that no more than one run of it is
   * under way; those among the ops of `Region.ahead` do not, nor those that are `queued`.
   */
  readonly asynchronous?: boolean;
  /** Of an asynchronous collective: it is started again while runs of it before are under way. */
  readonly queued?: boolean;
  /** It is launched though nothing may read what it makes. */
  readonly unread?: boolean;
}

export interface Region {
  readonly args: readonly ValueId[];
  readonly ops: readonly Op[];
  readonly results: readonly ValueId[];
  /**
   * Of a repeat: ops that come before `ops` and read nothing but elements of stacks, each other's results and values
   * from around the region. They are issued `by` iterations early: those of iterations 0 … by before iteration 0, then
   * those of iteration i + by before the `ops` of iteration i.
   */
  readonly ahead?: Ahead;
}

export interface Ahead {
  readonly by: number;
  readonly ops: readonly Op[];
}

/**
 * What the id of an op begins with that only looks at what others compute, and the output that it leads to. Kernels are not
 * named after them: a step that is looked at is timed under the same ids as the others.
 */
export const MONITOR = 'monitor/';
export const isMonitor = ({ id }: Pick<Op, 'id'>): boolean => id.startsWith(MONITOR);

/** Whether a compute op, or a kernel of them, is the host's: what it makes lies there. */
export const isOnHost = ({ results }: Pick<Op, 'results'>, values: readonly Value[]): boolean =>
  results.length > 0 && values[results[0]!]!.type.memory === 'host';

/** All ops of a region, those that are issued early first. */
export const regionOps = ({ ahead, ops }: Region): readonly Op[] =>
  ahead === undefined ? ops : [...ahead.ops, ...ops];

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
  readonly segments?: Segments;
}

export interface OptimizerInput {
  readonly kind: 'optimizer';
  readonly value: ValueId;
  /** The parameter whose state this is, and which slot: `first-moment`, `second-moment`, `momentum`, `copy`. */
  readonly parameter: string;
  readonly slot: string;
}

export interface DataInput {
  readonly kind: 'data';
  readonly value: ValueId;
  /** `images` and `labels`, or `tokens` and `targets`, are the batch; the others are scalars. */
  readonly name: 'images' | 'labels' | 'tokens' | 'targets' | 'learning-rate' | 'step';
  /** Of tokens that are dealt over an axis. */
  readonly segments?: Segments;
}

/** A scalar that a step leaves for the next one. */
export interface CounterInput {
  readonly kind: 'counter';
  readonly value: ValueId;
  readonly name: 'loss-scale' | 'finite-steps' | 'applied-steps';
  /** Before the first step. */
  readonly initial: number;
}

/** What another stage of a pipeline sends: `stream`, `stream-cotangent`, `tied:NAME`. Its rank of the same coordinates does. */
export interface PortInput {
  readonly kind: 'port';
  readonly value: ValueId;
  readonly name: string;
}

/** What an earlier slot of the same microbatch and virtual stage left for this one; kept until no later one reads it. */
export interface ResidualInput {
  readonly kind: 'residual';
  readonly value: ValueId;
  readonly name: string;
}

/** `loss` or `gradient:NAME`, added up over a step's microbatches: each slot that has it replaces it. */
export interface SumInput {
  readonly kind: 'sum';
  readonly value: ValueId;
  readonly name: string;
}

/** A parameter of which the chip keeps a part, as the stage gathered it when the step began. */
export interface GatheredInput {
  readonly kind: 'gathered';
  readonly value: ValueId;
  readonly name: string;
}

export type StateInput = ParameterInput | OptimizerInput | CounterInput;

/** What the programs of a pipeline's stage leave each other within a step; see `pipeline/`. */
export type PipelineInput = PortInput | ResidualInput | SumInput | GatheredInput;

export type ProgramInput = StateInput | DataInput | PipelineInput;

/** Whether an input stays from step to step. */
export const isState = (input: ProgramInput): input is StateInput =>
  input.kind === 'parameter' || input.kind === 'optimizer' || input.kind === 'counter';

/** The name of the output that replaces an input for the next step: `parameter:NAME`, `optimizer:NAME:SLOT`, `counter:NAME`. */
export function stateKey(input: StateInput): string {
  if (input.kind === 'optimizer') return `optimizer:${input.parameter}:${input.slot}`;
  return `${input.kind}:${input.name}`;
}

/** Whether an input is part of the batch: cut into microbatches, and those dealt out to the ranks. */
export const isBatch = (input: ProgramInput): boolean =>
  input.kind === 'data' && input.name !== 'learning-rate' && input.name !== 'step';

export interface ProgramOutput {
  /**
   * `loss`, `logits`, `gradient:NAME`, `parameter:NAME`, `optimizer:NAME:SLOT`, `counter:NAME`, `monitor/NAME`; of a pipeline's programs
   * also `send:NAME` (a port's), `residual:NAME`, `sum:NAME`, `gathered:NAME`.
   */
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

/** Bytes on one rank, of all the tensors of a stacked value, wherever they lie. */
export const typeBytes = (type: ValueType): number =>
  elementCount(type.shape) * DTYPE_BYTES[type.dtype] * (type.stack ?? 1);

/** Of these, what they take of the chip's memory. */
export const chipBytes = (type: ValueType): number => (type.memory === 'host' ? 0 : typeBytes(type));

/** The type of one element of a stacked value. */
export const unstacked = ({ shape, dtype, states, memory }: ValueType): ValueType => ({
  shape,
  dtype,
  states,
  ...(memory === undefined ? {} : { memory }),
});
