/**
 * The names of all ops and their attributes. Every table over ops (records, kernels, costs) is total over `OpName`, so
 * that a new op does not compile until each of them knows it. Shapes and meaning stand at the op's record.
 */
import type { AxisName, AxisStates } from '../../mesh/index.js';
import type { DType } from '../dtype.js';

type None = Readonly<Record<string, never>>;

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
  /** Dimensions are summed away. */
  sum: { readonly dimensions: readonly number[] };
  /** The transpose of `sum`: `dimensions` are those of the result; each has a local size, and may be sharded. */
  expand: { readonly dimensions: readonly number[]; readonly sizes: readonly number[]; readonly states: AxisStates };
  /** Local sizes of the parts of the last dimension. */
  split: { readonly sizes: readonly number[] };
  concat: None;
  split_heads: { readonly headWidth: number };
  merge_heads: None;
  matmul: { readonly transposeA: boolean; readonly transposeB: boolean; readonly scale: number };
  matmul_weight_gradient: None;
  softmax: None;
  softmax_backward: None;
  gelu: None;
  gelu_backward: None;
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
}

/** Ops that move data between chips along one mesh axis. */
export interface CollectiveAttributes {
  all_gather: { readonly axis: AxisName; readonly dimension: number };
  reduce_scatter: { readonly axis: AxisName; readonly dimension: number };
  all_reduce: { readonly axis: AxisName };
  /** Sharded over `from` becomes sharded over `to`. */
  all_to_all: { readonly axis: AxisName; readonly from: number; readonly to: number };
  /** Every rank sends its value to the rank `shift` places further along the axis, around the ring. */
  permute: { readonly axis: AxisName; readonly shift: number };
}

export interface StructureAttributes {
  /**
   * Runs its region `count` times. Operands are `carried` initial values, then stacked values of `count` elements;
   * the region's arguments are the carried values and one element of each; its results are the next carried values
   * and elements that are stacked. `reverse` runs from the last element to the first.
   */
  repeat: { readonly count: number; readonly carried: number; readonly reverse: boolean };
  /** One launch: the region's ops run together on one chip. Made by `fuse`. */
  kernel: None;
}

export type Attributes = ComputeAttributes & CollectiveAttributes & StructureAttributes;
export type ComputeName = keyof ComputeAttributes;
export type CollectiveName = keyof CollectiveAttributes;
export type OpName = keyof Attributes;
