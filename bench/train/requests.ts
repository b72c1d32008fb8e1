/** What the measuring process is asked, and what it answers. */
import type { FamilyName } from '../../src/runtime/index.js';
import type { PeerModel } from './job.js';

interface Measured {
  readonly family: FamilyName;
  readonly ranks: number;
}

export interface StepsRequest extends Measured {
  /** Images a rank. */
  readonly batch: number;
  readonly steps: number;
  /** vit-bench unless given. */
  readonly model?: PeerModel;
  /** Where the peer's start lies; our own initial parameters and random images unless given. */
  readonly start?: string;
}

export interface StepsMeasured {
  /** Of every step, the first included. */
  readonly seconds: readonly number[];
  /** From a given start: of the first rank's images before each step. */
  readonly losses: readonly number[];
}

export interface CeilingRequest extends Measured {
  readonly rounds: number;
}

export interface CeilingMeasured {
  /** Floating-point operations a second, of all ranks together, by round. */
  readonly flops: readonly number[];
}

export interface Requests {
  readonly steps: { readonly args: StepsRequest; readonly event: never; readonly result: StepsMeasured };
  readonly ceiling: { readonly args: CeilingRequest; readonly event: never; readonly result: CeilingMeasured };
}

/** Has a process of its own answer one request. */
export type Ask = <K extends keyof Requests>(kind: K, args: Requests[K]['args']) => Promise<Requests[K]['result']>;
