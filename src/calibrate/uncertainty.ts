/**
 * Between what a run lies that was not measured. Of each measured run the fit to the others says how far off it should be:
 * as far as the terms that its step hangs on are known, and as runs differ beside them. How far off it was over that is
 * one number for all runs of a machine, which few runs already tell; where there are few, it is near what such fits
 * leave elsewhere.
 */
import type { Uncertainty } from '../hardware/index.js';
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

const DIGITS = 3;
const rounded = (value: number): number => Number(value.toFixed(DIGITS));

export interface UncertaintyOptions {
  /** How well the machine repeats a step, relative: intervals are no narrower. */
  readonly repeatability: number;
  /** Of fits of other kernel families on the same machine. */
  readonly others: readonly Misfit[];
  readonly source: string;
}

/** @returns nothing where fewer than two runs say how far off predictions are */
export function uncertaintyOf(
  deviations: readonly Deviation[],
  { repeatability, others, source }: UncertaintyOptions,
): Uncertainty | undefined {
  if (deviations.length < 2) return undefined;
  const own = misfitOf(deviations);
  const { runs, square } = pooled([own, ...others]);
  const typical = deviations.reduce((sum, { variance }) => sum + variance, 0) / deviations.length;
  const width = Math.max(studentQuantile(0.9, runs) * Math.sqrt(square * typical), repeatability);
  return {
    p10: rounded(Math.exp(-width)),
    p50: 1,
    p90: rounded(Math.exp(width)),
    runs: deviations.length,
    misfit: rounded(own.square),
    source,
  };
}
