/**
 * What a collective does on the links: channels that run side by side, each a list of rounds one after the other, each
 * round a pattern of flows that is repeated. A chip goes through a channel's steps on its own: it has done a step when it
 * has sent all it sends in it and got all it gets, and a flow starts once both its ends have come to its step.
 */
import type { AxisName } from '../../src/mesh/index.js';
import type { CollectiveName } from '../../src/program/index.js';
import type { Bytes, BytesPerSecond, Seconds } from '../../src/units.js';
import type { PatternEnds } from './ends.js';

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

export interface Flow {
  readonly from: number;
  readonly to: number;
  /** Of the round's bytes. */
  readonly share: number;
  /** Which of the groups that run the collective side by side. */
  readonly group: number;
}

/** What decides how long a pattern takes: `latency` and then `share` of its bytes at `rate`. */
export interface SlowestFlow {
  readonly latency: Seconds;
  readonly share: number;
  readonly rate: BytesPerSecond;
}

/** Flows of all groups of the machine that start at once; worked out once, it then scales with the bytes. */
export interface Pattern {
  readonly flows: readonly Flow[];
  /** The links of each flow, by index in the machine's fabric. */
  readonly paths: readonly (readonly number[])[];
  /** Worked out when first asked for; rows for all vertices of the fabric. */
  readonly ends: PatternEnds;
  /** Where nothing else is on the links: the flow that ends last. */
  slowest(bytes: number): SlowestFlow;
  /** Whether all groups take equally long, so that one stands for all of them exactly. */
  readonly even: boolean;
  /** What each link carries, in multiples of the pattern's bytes. */
  readonly linkShares: ReadonlyMap<number, number>;
}

/** A pattern that runs `steps` times, one after the other, with as many bytes each. */
export interface Round {
  readonly pattern: Pattern;
  readonly steps: number;
  readonly bytes: Bytes;
}

/** Rounds one after the other. */
export type Channel = readonly Round[];

export interface CollectiveSchedule {
  readonly algorithm: AlgorithmName;
  /** Side by side; the collective is done when all are. */
  readonly channels: readonly Channel[];
}

export interface CollectiveRequest {
  readonly name: CollectiveName;
  readonly axis: AxisName;
  /** What each rank holds before, of all the tensors together. */
  readonly heldBytes: Bytes;
  /** Of a `permute`: what each tensor holds and how far it moves along the axis; their bytes add up to `heldBytes`. */
  readonly shifts?: readonly { readonly by: number; readonly bytes: Bytes }[];
}

export interface Network {
  /** The schedule that is done first where nothing else is on the links. */
  collective(request: CollectiveRequest): CollectiveSchedule;
}
