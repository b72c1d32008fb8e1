/**
 * What every chip does in a step, in the order of issue, with all that repeats written out: the walk over a program
 * without a clock. Whatever runs it decides when things happen.
 */
import type { AxisName } from '../src/mesh/index.js';
import type { Pending, RunId } from './pending.js';
import type { CollectiveStep, KernelStep, Plan } from './plan.js';
import type { Sink } from './walk.js';
import { walkTree } from './walk.js';

export type { RunId } from './pending.js';

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

class Writer implements Sink {
  readonly instructions: Instruction[] = [];
  /** By axis: the last run that the chip has waited for; those before it are done too. */
  readonly #doneOf = new Map<AxisName, RunId>();
  readonly #axisOf: AxisName[] = [];

  kernel(step: KernelStep, after: Pending, iterations: readonly number[]): void {
    this.instructions.push({ kind: 'kernel', step, after, iterations });
    this.#waited(after);
  }

  collective(
    step: CollectiveStep,
    run: RunId,
    after: Pending,
    operands: Pending,
    synchronous: boolean,
    iterations: readonly number[],
  ): void {
    this.#axisOf.push(step.axis);
    this.#waited(after);
    this.instructions.push({
      kind: 'collective',
      step,
      run,
      after,
      operands: operands.some((operand) => this.isDone(operand))
        ? operands.filter((operand) => !this.isDone(operand))
        : operands,
      synchronous,
      iterations,
    });
    if (synchronous) this.#waited([run]);
  }

  wait(after: Pending): void {
    this.instructions.push({ kind: 'wait', after });
    this.#waited(after);
  }

  isDone(run: RunId): boolean {
    return run <= (this.#doneOf.get(this.#axisOf[run]!) ?? -1);
  }

  #waited(runs: Pending): void {
    for (const run of runs) if (!this.isDone(run)) this.#doneOf.set(this.#axisOf[run]!, run);
  }
}

/** Everything that every chip does in a step. What a chip has waited for is not named again. */
export function linearize(plan: Plan): Instruction[] {
  const writer = new Writer();
  walkTree(plan, writer);
  return writer.instructions;
}
