/**
 * The names of all ops and their attributes. Every table over ops (records, kernels, costs) is total over `OpName`, so
 * that a new op does not compile until each of them knows it. Shapes and meaning stand at the op's record.
 */
import type { AxisName, AxisStates } from '../../mesh/index.js';
import type { DType, FloatType } from '../dtype.js';

type None = Readonly<Record<string, never>>;

/** Tokens that are dealt over an axis of so many `parts`, in zigzag (see `zigzagChunks`), the same way everywhere. */
export interface TokenDeal {
  readonly axis: AxisName;
  readonly parts: number;
}

/** Ops that compute on one chip. */
export interface ComputeAttributes {
  constant: {
    readonly shape: readonly number[];
    readonly value: number;
    readonly dtype: DType;
    readonly states: AxisStates;
  };
  cast: { readonly dtype: DType };
  add: None;
  multiply: None;
  scale: { readonly factor: number };
  copy_to_shards: { readonly axis: AxisName };
  /** Dimensions are summed away. */
  sum: { readonly dimensions: readonly number[] };
  /** The transpose of `sum`: `dimensions` are those of the result; each has a local size, and may be sharded. */
  expand: { readonly dimensions: readonly number[]; readonly sizes: readonly number[]; readonly states: AxisStates };
  /** Local sizes of the parts of the last dimension. */
  split: { readonly sizes: readonly number[] };
  concat: None;
  split_heads: { readonly headWidth: number };
  merge_heads: None;
  /**
   * `groups` is a local count. `shared`: the axis that heads are sharded over and on which keys and values are the same on
   * every chip.
   */
  group_heads: { readonly groups: number; readonly shared?: AxisName };
  ungroup_heads: { readonly heads: number; readonly shared?: AxisName };
  /** `inverse` turns the other way. `tokens`: absent where every rank has all of them. */
  rotary: { readonly base: number; readonly inverse: boolean; readonly tokens?: TokenDeal };
  matmul: { readonly transposeA: boolean; readonly transposeB: boolean; readonly scale: number };
  matmul_weight_gradient: None;
  /**
   * `causal`: a row sees the columns up to its own token; where rows are stacked, tokens begin anew. `tokens`: of the rows
   * and, rank after rank, of the columns, of which every rank has all; absent where they are in order.
   */
  softmax: { readonly causal?: boolean; readonly tokens?: TokenDeal };
  softmax_backward: None;
  gelu: None;
  gelu_backward: None;
  silu: None;
  silu_backward: None;
  /** `axis`: the one that the table's rows (the vocabulary) are sharded over; absent where every rank has all of them. */
  embedding: { readonly axis?: AxisName };
  embedding_backward: { readonly rows: number; readonly axis?: AxisName };
  log_sum_exp: None;
  log_sum_exp_backward: None;
  /** `axis`: the one that classes are sharded over. */
  token_cross_entropy: { readonly divisor: number; readonly axis?: AxisName };
  token_cross_entropy_backward: { readonly divisor: number; readonly classes: number; readonly axis?: AxisName };
  /** `width` is the whole width, also where the dimension is sharded. */
  moments: { readonly centered: boolean; readonly width: number };
  moments_backward: { readonly centered: boolean; readonly width: number };
  normalize: { readonly centered: boolean; readonly epsilon: number };
  normalize_backward_input: { readonly centered: boolean; readonly epsilon: number };
  normalize_backward_moments: { readonly centered: boolean; readonly epsilon: number };
  normalize_backward_gain: { readonly centered: boolean; readonly epsilon: number };
  extract_patches: { readonly patch: number };
  assemble_patches: { readonly patch: number; readonly height: number; readonly width: number };
  /** The sum over examples (and classes) is divided by `divisor`, the global batch. */
  sigmoid_cross_entropy: { readonly divisor: number };
  sigmoid_cross_entropy_backward: { readonly divisor: number };
  softmax_cross_entropy: { readonly divisor: number };
  softmax_cross_entropy_backward: { readonly divisor: number };
  adamw: { readonly beta1: number; readonly beta2: number; readonly epsilon: number; readonly weightDecay: number };
  sgd: { readonly momentum: number; readonly weightDecay: number };
  reciprocal: None;
  select: None;
  count_nonfinite: None;
  /** `share`: one over the number of ranks that hold the same. */
  sum_squares: { readonly share: number };
  max_absolute: None;
  /** The scale doubles after `interval` finite steps in a row and halves after one that is not. */
  update_loss_scale: { readonly interval: number; readonly largest: number };
}

/**
 * Which block along an axis: that of the rank `offset + stride · iteration` places further along it, around the ring;
 * the iteration is that of the innermost repeat (0 outside of one).
 */
export interface BlockPlace {
  readonly axis: AxisName;
  readonly dimension: number;
  readonly offset: number;
  readonly stride: number;
}

/** Ops that address parts of a tensor on one chip, where it lies; only in a `manual` region. */
export interface MoveAttributes {
  take: BlockPlace;
  put: BlockPlace;
}

/** Ops that move data between chips along one mesh axis. All but `all_to_all` take any number of tensors in one launch. */
export interface CollectiveAttributes {
  /** A dimension for each operand. `gradientType`: the type that the cotangents are summed in, theirs unless given. */
  all_gather: { readonly axis: AxisName; readonly dimensions: readonly number[]; readonly gradientType?: FloatType };
  reduce_scatter: { readonly axis: AxisName; readonly dimensions: readonly number[] };
  all_reduce: { readonly axis: AxisName };
  /** Sharded over `from` becomes sharded over `to`. */
  all_to_all: { readonly axis: AxisName; readonly from: number; readonly to: number };
  /** Every rank sends operand i to the rank `shifts[i]` places further along the axis, around the ring. */
  permute: { readonly axis: AxisName; readonly shifts: readonly number[] };
}

/** Ops that move tensors between a chip's memory and its host's. Any number of them in one launch. */
export interface HostAttributes {
  to_host: None;
  /** `into`: a tensor of the chip follows for each, whose memory the result takes. */
  from_host: { readonly into?: true };
}

export interface StructureAttributes {
  /**
   * Runs its region `count` times. Operands are `carried` initial values, then stacked values of `count` elements;
   * the region's arguments are the carried values and one element of each; its results are the next carried values
   * and elements that are stacked. `reverse` runs from the last element to the first. `first` (0 unless given): where
   * in a stack of more than `count` elements the repeat's begin; a stack of exactly `count` elements is taken whole.
   */
  repeat: { readonly count: number; readonly carried: number; readonly reverse: boolean; readonly first?: number };
  /** One launch: the region's ops run together on one chip. Made by `fuse`. */
  kernel: None;
  /**
   * Inside the region values have no state on `axis`: what each rank holds is its own business, and data moves along it
   * by `permute`, `take` and `put` alone. The results' states are what the op stands for. Runs once.
   */
  manual: { readonly axis: AxisName };
  /** Stacks end to end, as one. Nothing is copied. */
  join_stacks: None;
  /** One element of a stack. Nothing is copied. */
  element: { readonly index: number };
}

export type Attributes = ComputeAttributes &
  MoveAttributes &
  CollectiveAttributes &
  HostAttributes &
  StructureAttributes;
export type MoveName = keyof MoveAttributes;
export type ComputeName = keyof ComputeAttributes;
export type CollectiveName = keyof CollectiveAttributes;
export type HostMoveName = keyof HostAttributes;
/** Ops that may go on beside others. */
export type TransferName = CollectiveName | HostMoveName;
export type OpName = keyof Attributes;
