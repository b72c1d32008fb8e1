/** The steps of a run that are kept at hand: its first and its last few. All of them are told as they are made. */
import type { StepMetrics } from './events.js';

/** Of either end. */
const KEPT = 5;

export interface StepsMade {
  readonly count: number;
  /** The first 5 at most, in order. */
  readonly first: readonly StepMetrics[];
  /** The last 5 at most, in order; of few steps some are among the first too. */
  readonly last: readonly StepMetrics[];
}

export class StepsCounter implements StepsMade {
  count = 0;
  readonly first: StepMetrics[] = [];
  readonly last: StepMetrics[] = [];

  add(line: StepMetrics): void {
    this.count++;
    if (this.first.length < KEPT) this.first.push(line);
    this.last.push(line);
    if (this.last.length > KEPT) this.last.shift();
  }
}
