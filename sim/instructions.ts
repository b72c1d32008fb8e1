/**
 * What every chip does in a step, in the order of issue, with all that repeats written out: the walk over a program
 * without a clock. Whatever runs it decides when things happen.
 */
import type { Lane } from '../src/mesh/index.js';
import type { Pending, RunId } from './pending.js';
import type { KernelStep, Plan } from './plan.js';
import type { CollectiveIssue, Sink } from './walk.js';
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

export interface CollectiveInstruction extends CollectiveIssue {
  readonly kind: 'collective';
}

/** Ops that take no time but read what a collective brings. */
export interface WaitInstruction {
  readonly kind: 'wait';
  readonly after: readonly RunId[];
}

class Writer implements Sink {
  readonly instructions: Instruction[] = [];
  /** By axis: the last run that the chip has waited for; those before it are done too. */
  readonly #doneOf = new Map<Lane, RunId>();
  readonly #axisOf: Lane[] = [];

  kernel(step: KernelStep, after: Pending, iterations: readonly number[]): void {
    this.instructions.push({ kind: 'kernel', step, after, iterations });
    this.#waited(after);
  }

  collective(issue: CollectiveIssue): void {
    const { step, run, after } = issue;
    this.#axisOf.push(step.axis);
    this.#waited(after);
    const operands = issue.operands.some((operand) => this.isDone(operand))
      ? issue.operands.filter((operand) => !this.isDone(operand))
      : issue.operands;
    this.instructions.push({ kind: 'collective', ...issue, operands });
    if (issue.synchronous) this.#waited([run]);
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
