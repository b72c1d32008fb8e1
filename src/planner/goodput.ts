/**
 * What is left of a machine's time where chips fail and the run goes on from its last checkpoint: in closed form, for
 * failures that come at a constant rate. `goodput-run.ts` draws them one by one.
 */
import type { Seconds } from '../units.js';
import { seconds } from '../units.js';

/** Of a whole run, not of a chip. */
export interface Interruptions {
  /** From the start of one failure-free stretch to its end, on the average. */
  readonly meanTimeBetween: Seconds;
  /** For which a checkpoint keeps the run from computing. */
  readonly checkpoint: Seconds;
  /** From an interruption until the run computes again; one that is interrupted starts anew. */
  readonly restart: Seconds;
}

/** Parts of the time that a run takes; they add up to 1. */
export interface Goodput {
  /** Steps that stay. */
  readonly useful: number;
  readonly checkpoints: number;
  /** Steps, and checkpoints not yet complete, that are lost and done again. */
  readonly rework: number;
  readonly restarts: number;
}

/** Any chip interrupts all. @param chipHours of one chip between two interruptions that it causes */
export const meanTimeBetween = (chipHours: number, chips: number): Seconds => seconds((chipHours * 3600) / chips);

/**
 * Of a run that computes for `interval` and then writes a checkpoint, over and over (Daly 2006, equation 13, from which
 * the shares follow: of a stretch of w, `M (e^(w/M) - 1)` pass until it is done once without interruption).
 */
export function expectedGoodput(
  { meanTimeBetween: m, checkpoint, restart }: Interruptions,
  interval: Seconds,
): Goodput {
  const stretch = interval + checkpoint;
  // Without interruptions M is infinite, and 0 × ∞ is no number.
  const until = Number.isFinite(m) ? m * Math.expm1(stretch / m) : stretch;
  const restarts = Number.isFinite(m) ? until * Math.expm1(restart / m) : 0;
  const total = until + restarts;
  if (!Number.isFinite(total)) return { useful: 0, checkpoints: 0, rework: 0, restarts: 1 };
  return {
    useful: interval / total,
    checkpoints: checkpoint / total,
    rework: (until - stretch) / total,
    restarts: restarts / total,
  };
}

/** Young 1974: √(2 δ M), right where checkpoints take far less than the time between interruptions. */
export const youngInterval = ({ meanTimeBetween: m, checkpoint }: Interruptions): Seconds =>
  seconds(Math.sqrt(2 * checkpoint * m));

/** Daly 2006, equation 37: within a fraction of a percent of the best; M where checkpoints take 2 M or more. */
export function dalyInterval({ meanTimeBetween: m, checkpoint }: Interruptions): Seconds {
  if (checkpoint >= 2 * m) return m;
  const share = checkpoint / (2 * m);
  return seconds(Math.sqrt(2 * checkpoint * m) * (1 + Math.sqrt(share) / 3 + share / 9) - checkpoint);
}
