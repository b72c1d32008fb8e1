/**
 * How wrong it is what a fit expects of runs that it has not seen (see `spread.ts`). Of each measured run the fit to the
 * others says how far off it should be: as far as the terms that its step hangs on are known, and as runs differ beside
 * them. How far off it was over that is one number for all runs of a machine, which few runs already tell; where there are
 * few, it is near what such fits leave elsewhere.
 */
import { mean } from 'simple-statistics';
import { studentQuantile } from './intervals.js';

/** A run that was predicted without it: the logarithm of measured over predicted, and the variance that the fit expects. */
export interface Deviation {
  readonly residual: number;
  readonly variance: number;
}

/** Mean square of deviations over what was expected, and of how many runs. */
export interface Misfit {
  readonly square: number;
  readonly runs: number;
}

/**
 * Before anything is measured: as far off as expected, and as sure of that as of two runs. What fits of the shipped stacks
 * leave is the evidence (`uncertainty` in hardware-profiles/stacks, 2026-11-22): standard deviations of 0.094, 0.070,
 * 0.069, 0.068, 0.016 and 0.015, whose mean square is that of 0.062, as runs are expected to differ; and logarithms of
 * squares whose variance, 2.6, is that of a scaled inverse χ² of 1.6 degrees of freedom.
 */
const PRIOR: Misfit = { square: 1, runs: 2 };

export const misfitOf = (deviations: readonly Deviation[]): Misfit => ({
  runs: deviations.length,
  square: deviations.reduce((sum, { residual, variance }) => sum + residual ** 2 / variance, 0) / deviations.length,
});

/** The scale of deviations is scaled inverse χ² before and after (Gelman et al., Bayesian Data Analysis, 3.2). */
function pooled(misfits: readonly Misfit[]): Misfit {
  const all = [PRIOR, ...misfits];
  const runs = all.reduce((sum, one) => sum + one.runs, 0);
  return { runs, square: all.reduce((sum, one) => sum + one.runs * one.square, 0) / runs };
}

/**
 * What standard deviations that a fit expects are multiplied by, for the 90th percentile of a run to come.
 *
 * @param own of runs that were predicted without them; nothing where there is none, so that only the prior says it
 * @param others of fits of other kernel families on the same machine
 */
export function scaleOf(own: Misfit | undefined, others: readonly Misfit[]): number {
  const { runs, square } = pooled([...(own === undefined ? [] : [own]), ...others]);
  return studentQuantile(0.9, runs) * Math.sqrt(square);
}

/** How well a machine repeats a step, where the runs of one plan say it: so many beside the first of each. */
const LEAST_REPEATS = 4;
/** A normal distribution's 90th percentile. */
const P90 = 1.2816;

/**
 * Half of what lies between the 10th and the 90th percentile of runs of the same plan, relative; nothing of too few.
 *
 * @param plans steps of the runs of each, in seconds
 */
export function repeatabilityOf(plans: readonly (readonly number[])[]): number | undefined {
  const repeats = plans.reduce((sum, runs) => sum + runs.length - 1, 0);
  if (repeats < LEAST_REPEATS) return undefined;
  const squares = plans.map((runs) => {
    const logs = runs.map(Math.log);
    const middle = mean(logs);
    return logs.reduce((sum, log) => sum + (log - middle) ** 2, 0);
  });
  return P90 * Math.sqrt(squares.reduce((sum, one) => sum + one, 0) / repeats);
}
