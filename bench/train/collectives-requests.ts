/** What the process that measures collectives is asked, and what it answers. */
import type { DType } from '../../src/program/index.js';
import type { FamilyName } from '../../src/runtime/index.js';

export interface SumsRequest {
  readonly family: FamilyName;
  readonly dtype: DType;
  readonly bytes: number;
  readonly simd: boolean;
  readonly rounds: number;
}

/** One figure a round, in seconds. */
export interface SumsMeasured {
  /** A copy of as many bytes by each of two threads at the same time: the slower one's. */
  readonly copies: readonly number[];
  /** The sum over two ranks, from when both had come to it until both had it. */
  readonly sums: readonly number[];
}

export interface OverlapRequest {
  readonly family: FamilyName;
  /** Whether kernels compute on the rank's own thread, or elsewhere, for which a timer stands. */
  readonly where: 'here' | 'elsewhere';
  readonly bytes: number;
  readonly rounds: number;
}

/** One figure a round, in seconds. */
export interface OverlapMeasured {
  readonly sums: readonly number[];
  readonly kernels: readonly number[];
  /** Both, the sum asynchronous. */
  readonly together: readonly number[];
}

export interface ResidentRequest {
  readonly family: FamilyName;
  readonly job: 'tiny' | 'small';
  readonly steps: number;
  readonly every: number;
}

export interface ResidentMeasured {
  /** Bytes, after each `every` steps. */
  readonly residentBytes: readonly number[];
}

export interface CollectiveRequests {
  readonly sums: { readonly args: SumsRequest; readonly event: never; readonly result: SumsMeasured };
  readonly overlap: { readonly args: OverlapRequest; readonly event: never; readonly result: OverlapMeasured };
  readonly resident: { readonly args: ResidentRequest; readonly event: never; readonly result: ResidentMeasured };
}
