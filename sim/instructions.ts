/**
 * What every chip does in a step, in the order of issue, with all that repeats written out: the walk over a program
 * without a clock. Whatever runs it decides when things happen.
 */
import type { CollectiveStep, KernelStep } from './plan.js';

/** Which run of which collective: its place in the order of issue of all runs, from 0. */
export type RunId = number;

export type Instruction = KernelInstruction | CollectiveInstruction | WaitInstruction;

export interface KernelInstruction {
  readonly kind: 'kernel';
  readonly step: KernelStep;
  /** The chip does not go on before these are done. */
  readonly after: readonly RunId[];
  /** Of the repeats around it, outermost first. */
  readonly iterations: readonly number[];
}

/**
 * It is issued when all of `after` are done. It then takes its turn on its chip behind the collectives over the same
 * axis that were issued before, and begins once all of `operands` are done too.
 */
export interface CollectiveInstruction {
  readonly kind: 'collective';
  readonly step: CollectiveStep;
  readonly run: RunId;
  readonly after: readonly RunId[];
  readonly operands: readonly RunId[];
  /** Whether the chip waits until it is done. */
  readonly synchronous: boolean;
  readonly iterations: readonly number[];
}

/** Ops that take no time but read what a collective brings. */
export interface WaitInstruction {
  readonly kind: 'wait';
  readonly after: readonly RunId[];
}
