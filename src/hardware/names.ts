/** The closed sets of names that profiles use. */

/**
 * Where a number comes from. `assumed` is a guess that nobody measured. `calibrated` was fitted by this program to what a
 * machine measured of itself, `fitted` to published figures: micro-benchmarks, or runs, then on at most half of a set's, with
 * the error on the other half beside it.
 */
export const STATUSES = ['datasheet', 'published', 'measured', 'calibrated', 'fitted', 'assumed'] as const;
export type Status = (typeof STATUSES)[number];

/** The element types that a profile may state a matmul rate for; the same names as the program's. */
export const MATMUL_DTYPES = ['f64', 'f32', 'bf16', 'f16'] as const;
export type MatmulDType = (typeof MATMUL_DTYPES)[number];

/** What the dimensions of a torus are called, the first first. */
export const TORUS_DIMENSIONS = ['x', 'y', 'z', 'w', 'v', 'u'] as const;
export type TorusDimension = (typeof TORUS_DIMENSIONS)[number];

/** Which dimensions of a slice are rings: each where it fits, all or none, none at all, or those that are listed. */
export const WRAPAROUND_RULES = ['every-axis', 'per-axis', 'none', 'listed'] as const;
export type WraparoundRule = (typeof WRAPAROUND_RULES)[number];
/**
 * Kinds of work of a kernel, each with rates of its own where ops were timed one by one: what a profile is corrected by,
 * and how much ranks slow each other at it. `crossing`: operands and results copied into the library's own memory and out
 * of it; `launch`: what a kernel and its ops take however small they are.
 */
export const WORK_KINDS = [
  'matmul',
  'batched-matmul',
  'elementwise',
  'activation',
  'softmax',
  'norm',
  'reduction',
  'copy',
  'lookup',
  'loss',
  'update',
  'crossing',
  'launch',
] as const;
export type WorkKind = (typeof WORK_KINDS)[number];

/**
 * How a matmul reads its factors, where rates differ by it: plain or transposed (`n`, `t`) each, both with leading
 * dimensions (`batched-…`), or the gradient of a weight, whose first factor is transposed.
 */
export const MATMUL_FORMS = [
  'nn',
  'nt',
  'tn',
  'tt',
  'batched-nn',
  'batched-nt',
  'batched-tn',
  'batched-tt',
  'weight-gradient',
] as const;
export type MatmulForm = (typeof MATMUL_FORMS)[number];

/** How a collective can be run; what each does is in `sim/network`. */
export const ALGORITHMS = [
  'ring',
  'bidirectional-ring',
  'multi-axis',
  'halving-doubling',
  'tree',
  'direct',
  'hierarchical',
  'in-switch',
] as const;
export type AlgorithmName = (typeof ALGORITHMS)[number];

/** What chips exchange; the same names as the program's. */
export const COLLECTIVES = ['all_gather', 'reduce_scatter', 'all_reduce', 'all_to_all', 'permute'] as const;
export type CollectiveKind = (typeof COLLECTIVES)[number];

/**
 * Kernels for all of attention: FlashAttention in Triton as of 2022, FlashAttention-2 (PyTorch's own, too),
 * FlashAttention-3, cuDNN's.
 */
export const ATTENTION_KERNELS = ['flash-triton', 'flash-2', 'flash-3', 'cudnn', 'splash'] as const;
export type AttentionKernel = (typeof ATTENTION_KERNELS)[number];
