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
import type { Deviation, Misfit } from './uncertainty.js';
import { uncertaintyOf } from './uncertainty.js';
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
  /** Absent where too little is known: fewer than two plans. */
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
  /** How well the machine repeats a step, relative: intervals are no narrower. */
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

/** What the step of each run is off by that was not fitted. */
function notFitted(documents: ProfileDocuments, fit: Fit, subjects: readonly Subject[], source: string): Deviation[] {
  const all = fit.rows.flat();
  return rowsOf(documents, fit, subjects, source).flatMap((rows, index) => {
    const row = rows[stepIndex(subjects[index]!)];
    return row === undefined ? [] : [{ residual: row.residual, variance: expectedVariance(fit, all, row.slopes) }];
  });
}

function withUncertainty(stack: StackDocument, uncertainty: Uncertainty): StackDocument {
  const { source, ...value } = uncertainty;
  return { ...stack, uncertainty: { value, source, status: 'calibrated' } };
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
  { fit: subjects, check }: Sides,
  { source, repeatability = 0, others = [] }: RecalibrationOptions,
): Calibration {
  const fit = fitProfile(documents, subjects, source);
  const keptBack = outcomes(check, documents, fit.documents);
  const deviations = [...leftOut(fit, subjects), ...notFitted(documents, fit, check, source)];
  const about = `${deviations.length} runs that were not fitted or left out of the fit, ${source}`;
  const known = uncertaintyOf(deviations, { repeatability, others, source: about });
  const before = documents.stack.uncertainty;
  const uncertainty = known ?? (before && { ...before.value, source: before.source });
  return {
    documents:
      known === undefined ? fit.documents : { ...fit.documents, stack: withUncertainty(fit.documents.stack, known) },
    corrections: correctionsOf(fit),
    fitted: outcomes(subjects, documents, fit.documents),
    keptBack,
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
  return { ...found, check, checked, ...judge(check, checked, found.fitted) };
}
