/**
 * A profile fitted to some of what was measured, and checked on the rest: see `judge`. What is left over says how far off
 * predictions are.
 */
import { quantile, sampleWithReplacement } from 'simple-statistics';
import type { StackDocument, Uncertainty } from '../hardware/index.js';
import type { Fit, FitTerm } from './fit.js';
import { expectedVariance, fitProfile, refitted, rowsOf } from './fit.js';
import { createRandomSource } from './draws.js';
import type { Subject } from './subjects.js';
import type { ProfileDocuments } from './terms.js';
import { doubtOf, spreadOf, varianceOf } from './spread.js';
import type { Deviation, Misfit } from './uncertainty.js';
import { misfitOf, repeatabilityOf, scaleOf } from './uncertainty.js';
import type { Check, Outcome, Verdict } from './verdict.js';
import { checkFit, judge, outcomes, stepIndex } from './verdict.js';

/** A term that moved. */
export interface Correction {
  readonly term: string;
  readonly before: string;
  /** New time over old for the same work. */
  readonly factor: number;
  /** Between which it lies in 80 % of fits to plans drawn anew. */
  readonly interval: readonly [p10: number, p90: number];
  /** How many measured times hang on it. */
  readonly samples: number;
}

export interface Calibration {
  readonly documents: ProfileDocuments;
  readonly corrections: readonly Correction[];
  readonly fitted: readonly Outcome[];
  readonly keptBack: readonly Outcome[];
  /** Absent where nothing says it: neither a run nor the profile that was fitted. */
  readonly uncertainty?: Uncertainty;
}

export interface Recalibration extends Omit<Calibration, 'keptBack'>, Verdict {
  /** Predicted by a fit that they are no part of. */
  readonly checked: readonly Outcome[];
  readonly check: Check;
}

export interface RecalibrationOptions {
  /** Of every number that moves: what was measured. */
  readonly source: string;
  /**
   * How well the machine repeats a step, relative: intervals are no narrower. Unless given, what runs of the same plan or
   * the profile say of it.
   */
  readonly repeatability?: number;
  /** How far off fits of other kernel families were on the same machine. */
  readonly others?: readonly Misfit[];
}

const BOOTSTRAP_DRAWS = 200;

/** How the terms' logarithms vary when the subjects are drawn anew, with replacement. */
function bootstrap(fit: Fit): number[][] {
  const random = createRandomSource(1);
  return Array.from({ length: BOOTSTRAP_DRAWS }, () => {
    const drawn = sampleWithReplacement([...fit.rows], fit.rows.length, random).flat();
    // Times within a run vary too: where there are few runs, theirs is what tells.
    return refitted(fit, sampleWithReplacement(drawn, drawn.length, random));
  });
}

function correctionsOf(fit: Fit): Correction[] {
  const drawn = bootstrap(fit);
  return fit.terms.map(({ id, text, moved, samples }: FitTerm, index) => {
    const found = drawn.map((draw) => draw[index]!);
    const [p10, p90] = [quantile(found, 0.1), quantile(found, 0.9)];
    return {
      term: id,
      before: text,
      factor: Math.exp(moved),
      interval: [Math.exp(Math.min(p10, moved)), Math.exp(Math.max(p90, moved))],
      samples,
    };
  });
}

/** What each fitted run's step is off by when the others alone are fitted, by the slopes at the fit. */
function leftOut(fit: Fit, subjects: readonly Subject[]): Deviation[] {
  const at = fit.terms.map(({ moved }) => moved);
  return subjects.flatMap((subject, index) => {
    const step = stepIndex(subject);
    if (step < 0) return [];
    const others = fit.rows.filter((_, other) => subjects[other]!.group !== subject.group).flat();
    if (others.length === 0) return [];
    const found = refitted(fit, others);
    const { residual, slopes } = fit.rows[index]![step]!;
    return [
      {
        residual: residual - at.reduce((sum, value, term) => sum + slopes[term]! * (found[term]! - value), 0),
        variance: expectedVariance(fit, others, slopes),
      },
    ];
  });
}

interface Unknowns {
  readonly fit: Fit;
  readonly documents: ProfileDocuments;
  readonly sides: Sides;
  readonly source: string;
}

const DIGITS = 3;
const rounded = (value: number): number => Number(value.toFixed(DIGITS));

/**
 * Between what a job lies that is predicted by the fit: of any job by its own spread, and of one like those measured by
 * p10 and p90. Nothing where no step was measured.
 */
function uncertaintyOf(
  { fit, documents, sides, source }: Unknowns,
  { repeatability, others }: { readonly repeatability: number | undefined; readonly others: readonly Misfit[] },
): Uncertainty | undefined {
  const doubt = doubtOf(documents, fit);
  const placeOf = new Map(fit.terms.map(({ id }, index) => [id, index]));
  const checked = rowsOf(documents, fit, sides.check, source).flatMap((rows, index) => {
    const row = rows[stepIndex(sides.check[index]!)];
    return row === undefined ? [] : [row];
  });
  const steps = [
    ...sides.fit.flatMap((subject, index) => {
      const row = fit.rows[index]![stepIndex(subject)];
      if (row === undefined) return [];
      return [doubt.ids.map((id) => (placeOf.has(id) ? row.slopes[placeOf.get(id)!]! : 0))];
    }),
    ...checked.map(({ slopes }) => slopes.slice(0, doubt.ids.length)),
  ];
  if (steps.length === 0) return undefined;
  const deviations: Deviation[] = [
    ...leftOut(fit, sides.fit),
    ...checked.map(({ residual, slopes }) => ({
      residual,
      variance: varianceOf(doubt, slopes.slice(0, doubt.ids.length)),
    })),
  ];
  const misfit = deviations.length === 0 ? undefined : misfitOf(deviations);
  const scale = scaleOf(misfit, others);
  const typical = steps.reduce((sum, step) => sum + varianceOf(doubt, step), 0) / steps.length;
  const width = Math.max(repeatability ?? 0, scale * Math.sqrt(typical));
  return {
    p10: rounded(Math.exp(-width)),
    p50: 1,
    p90: rounded(Math.exp(width)),
    runs: misfit?.runs ?? steps.length,
    ...(misfit === undefined ? {} : { misfit: rounded(misfit.square) }),
    ...(repeatability === undefined ? {} : { repeatability: rounded(repeatability) }),
    spread: spreadOf(doubt, steps, scale),
    source:
      misfit === undefined
        ? `what fits leave elsewhere, since no run was left out of the fit, ${source}`
        : `${misfit.runs} runs that were not fitted or left out of the fit, ${source}`,
  };
}

function withUncertainty(stack: StackDocument, uncertainty: Uncertainty): StackDocument {
  const { source, ...value } = uncertainty;
  return { ...stack, uncertainty: { value, source, status: 'calibrated' } };
}

/** By runs of the same plan; what the profile says of it where they say too little. */
function repeatabilityHere({ stack }: ProfileDocuments, subjects: readonly Subject[]): number | undefined {
  const steps = subjects.flatMap((subject) => {
    const step = subject.samples[stepIndex(subject)];
    return step === undefined ? [] : [{ group: subject.group, seconds: step.seconds }];
  });
  const groups = [...new Set(steps.map(({ group }) => group))];
  const plans = groups.map((group) => steps.filter((one) => one.group === group).map(({ seconds }) => seconds));
  return repeatabilityOf(plans) ?? stack.uncertainty?.value.repeatability;
}

/** What is to be fitted, and what the fit is not to see. */
export interface Sides {
  /** At least one. */
  readonly fit: readonly Subject[];
  readonly check: readonly Subject[];
}

/** A fit and what it leaves, without a verdict. @throws MeshwrightError RUN_INVALID where nothing was measured */
export function calibrated(
  documents: ProfileDocuments,
  sides: Sides,
  {
    source,
    repeatability = repeatabilityHere(documents, [...sides.fit, ...sides.check]),
    others = [],
  }: RecalibrationOptions,
): Calibration {
  const fit = fitProfile(documents, sides.fit, source);
  const found = uncertaintyOf({ fit, documents, sides, source }, { repeatability, others });
  const before = documents.stack.uncertainty;
  const uncertainty = found ?? (before && { ...before.value, source: before.source });
  return {
    documents:
      found === undefined ? fit.documents : { ...fit.documents, stack: withUncertainty(fit.documents.stack, found) },
    corrections: correctionsOf(fit),
    fitted: outcomes(sides.fit, documents, fit.documents),
    keptBack: outcomes(sides.check, documents, fit.documents),
    ...(uncertainty === undefined ? {} : { uncertainty }),
  };
}

/**
 * A fit, checked on what was kept back from it; where that is nothing, on the plans that are fitted, each by a fit to the
 * others.
 *
 * @throws MeshwrightError RUN_INVALID where nothing was measured
 */
export function recalibrate(documents: ProfileDocuments, sides: Sides, options: RecalibrationOptions): Recalibration {
  const { keptBack, ...found } = calibrated(documents, sides, options);
  const { check, checked } = checkFit(documents, sides.fit, keptBack, options.source);
  return { ...found, check, checked, ...judge(check, checked, found.fitted, found.uncertainty?.repeatability) };
}
