/** What a chip does in a step, one after the other, each with what it costs. */
import type { Lane } from '../src/mesh/index.js';
import type { Op, TransferName, ValueId } from '../src/program/index.js';
import type { KernelCost, Load } from './cost/index.js';
import type { Ticks } from './engine/index.js';
import type { CollectiveSchedule, TimedRound } from './network/index.js';

/** Where a kernel's time goes, where nothing is beside it. */
export const KERNEL_CATEGORIES = ['matmul', 'memory', 'vector', 'overhead'] as const;
export type KernelCategory = (typeof KERNEL_CATEGORIES)[number];
/**
 * Where a chip's compute time goes. `contention`: what collectives beside kernels add to them; `variation`: what a slow
 * chip and jitter do, which may be less than nothing.
 */
export type ComputeCategory = KernelCategory | 'contention' | 'variation';

export interface KernelStep {
  readonly kind: 'kernel';
  readonly op: Op;
  /** What it waits for, where that is pending. */
  readonly reads: readonly ValueId[];
  readonly cost: KernelCost;
  readonly duration: Ticks;
  /** What a host that launches op by op needs for it. */
  readonly hostDuration: Ticks;
  /**
   * The chip begins it no earlier than this after the host has come to it: all waiting for the host put in front, so that
   * the end is exact.
   */
  readonly hostDelay: Ticks;
  /** Whether the host comes to it no earlier than the chip has done all that came before. */
  readonly hostWaits?: boolean;
  readonly byCategory: Readonly<Record<KernelCategory, number>>;
  /** How often the step runs it. */
  readonly times: number;
}

export interface CollectiveStep {
  readonly kind: 'collective';
  readonly op: Op;
  /** `host_update`: what a host computes for its chip. */
  readonly name: TransferName | 'host_update';
  /** Over a mesh axis, or to the host, from it, or at it. */
  readonly axis: Lane;
  readonly reads: readonly ValueId[];
  /** Whether what comes after it goes on meanwhile. */
  readonly asynchronous: boolean;
  /** Whether a second run waits, when it is issued, until the first is done. */
  readonly single: boolean;
  /** What a host that launches op by op needs for it, which it is not issued before. */
  readonly hostDuration: Ticks;
  /** Where nothing else is on its links. */
  readonly duration: Ticks;
  readonly schedule: CollectiveSchedule;
  /** Of the schedule, those that take any step. */
  readonly channels: readonly (readonly TimedRound[])[];
  /** What it takes of its chip meanwhile. */
  readonly load: Load;
  /** What a chip sends, as its algorithm does it. */
  readonly sentBytes: number;
  readonly times: number;
  /** Its place in `Plan.collectives`. */
  readonly index: number;
}

/** `take` and `put`: no time, but they read. */
export interface MoveStep {
  readonly kind: 'move';
  readonly reads: readonly ValueId[];
}

export interface JoinStep {
  readonly kind: 'join';
  readonly operands: readonly ValueId[];
  readonly result: ValueId;
  /** How many elements each operand has. */
  readonly lengths: readonly number[];
}

export interface ElementStep {
  readonly kind: 'element';
  readonly stack: ValueId;
  readonly index: number;
  readonly result: ValueId;
}

export interface ManualStep {
  readonly kind: 'manual';
  readonly operands: readonly ValueId[];
  readonly args: readonly ValueId[];
  readonly steps: readonly Step[];
  readonly yields: readonly ValueId[];
  readonly results: readonly ValueId[];
}

export interface RepeatStep {
  readonly kind: 'repeat';
  readonly count: number;
  readonly carried: number;
  readonly reverse: boolean;
  /** Where in longer stacks the iterations begin: they are numbered from it. */
  readonly first: number;
  /** Of each stacked operand: where its elements begin. */
  readonly firsts: readonly number[];
  readonly operands: readonly ValueId[];
  readonly args: readonly ValueId[];
  readonly ahead?: { readonly by: number; readonly steps: readonly Step[]; readonly results: readonly ValueId[] };
  readonly steps: readonly Step[];
  readonly yields: readonly ValueId[];
  readonly results: readonly ValueId[];
  /** What the region reads from around it. */
  readonly captured: readonly ValueId[];
  /** Indices of the collectives inside, at any depth. */
  readonly collectives: readonly number[];
}

export type Step = KernelStep | CollectiveStep | MoveStep | JoinStep | ElementStep | ManualStep | RepeatStep;
