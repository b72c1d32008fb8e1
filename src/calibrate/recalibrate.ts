/**
 * A profile fitted to some of what was measured, and checked on the rest: a fit that makes the rest worse is refused. What
 * is left over says how far off predictions are.
 */
import { quantile, sampleWithReplacement } from 'simple-statistics';
import type { StackDocument, Uncertainty } from '../hardware/index.js';
import type { Fit, FitTerm } from './fit.js';
import { expectedVariance, fitProfile, refitted, rowsOf } from './fit.js';
import { createRandomSource } from './draws.js';
import { resolveProfile } from './resolve-profile.js';
import type { Subject } from './subjects.js';
import type { ProfileDocuments } from './terms.js';
import type { Deviation, Misfit } from './uncertainty.js';
import { uncertaintyOf } from './uncertainty.js';

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

/** A subject's step, or all its times where it has none, predicted over measured. */
export interface Outcome {
  readonly title: string;
  readonly group: string;
  readonly ranks: number;
  readonly measuredSeconds: number;
  readonly beforeSeconds: number;
  readonly afterSeconds: number;
}

export interface Recalibration {
  readonly documents: ProfileDocuments;
  readonly corrections: readonly Correction[];
  readonly fitted: readonly Outcome[];
  readonly checked: readonly Outcome[];
  /** Means of |log(predicted / measured)| over what was checked, or fitted where nothing was left to check. */
  readonly errorBefore: number;
  readonly errorAfter: number;
  /** False where the check got worse. */
  readonly accepted: boolean;
  readonly reason: string;
  /** Absent where too little is known: fewer than two plans. */
  readonly uncertainty?: Uncertainty;
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

const stepIndex = ({ samples }: Subject): number => samples.findIndex(({ what }) => what === 'step');

/** Of a run its step; of measured work the sum of all. */
function totalOf(subject: Subject, times: readonly number[]): number {
  const step = stepIndex(subject);
  return step >= 0 ? times[step]! : times.reduce((sum, one) => sum + one, 0);
}

function outcomes(subjects: readonly Subject[], before: ProfileDocuments, after: ProfileDocuments): Outcome[] {
  const [old, fitted] = [resolveProfile(before), resolveProfile(after)];
  return subjects.map((subject) => ({
    title: subject.title,
    group: subject.group,
    ranks: subject.ranks,
    measuredSeconds: totalOf(
      subject,
      subject.samples.map(({ seconds }) => seconds),
    ),
    beforeSeconds: totalOf(subject, subject.predict(old)),
    afterSeconds: totalOf(subject, subject.predict(fitted)),
  }));
}

const logError = (predicted: number, measured: number): number => Math.log(measured / predicted);
const meanError = (of: readonly Outcome[], which: 'beforeSeconds' | 'afterSeconds'): number =>
  of.reduce((sum, one) => sum + Math.abs(logError(one[which], one.measuredSeconds)), 0) / of.length;

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

function verdict(checked: readonly Outcome[], before: number, after: number): { accepted: boolean; reason: string } {
  const percent = (error: number): string => `${(100 * Math.expm1(error)).toFixed(1)} %`;
  const moved = `mean error ${percent(before)} before, ${percent(after)} after`;
  if (checked.length === 0)
    return { accepted: true, reason: `nothing was left to check it on; ${moved} on what was fitted` };
  const on = `on ${checked.length} that ${checked.length === 1 ? 'was' : 'were'} not fitted: ${moved}`;
  return after <= before ? { accepted: true, reason: `checked ${on}` } : { accepted: false, reason: `worse ${on}` };
}

function withUncertainty(stack: StackDocument, uncertainty: Uncertainty): StackDocument {
  const { source, ...value } = uncertainty;
  return { ...stack, uncertainty: { value, source, status: 'calibrated' } };
}

/**
 * @param fit what is fitted, at least one
 * @param check what it is checked on
 * @throws MeshwrightError RUN_INVALID where nothing was measured
 */
export function recalibrate(
  documents: ProfileDocuments,
  { fit: subjects, check }: { readonly fit: readonly Subject[]; readonly check: readonly Subject[] },
  { source, repeatability = 0, others = [] }: RecalibrationOptions,
): Recalibration {
  const fit = fitProfile(documents, subjects, source);
  const fitted = outcomes(subjects, documents, fit.documents);
  const checked = outcomes(check, documents, fit.documents);
  const judged = checked.length > 0 ? checked : fitted;
  const [errorBefore, errorAfter] = [meanError(judged, 'beforeSeconds'), meanError(judged, 'afterSeconds')];
  const deviations = [...leftOut(fit, subjects), ...notFitted(documents, fit, check, source)];
  const about = `${deviations.length} runs that were not fitted or left out of the fit, ${source}`;
  const known = uncertaintyOf(deviations, { repeatability, others, source: about });
  const before = documents.stack.uncertainty;
  const uncertainty = known ?? (before && { ...before.value, source: before.source });
  return {
    documents:
      known === undefined ? fit.documents : { ...fit.documents, stack: withUncertainty(fit.documents.stack, known) },
    corrections: correctionsOf(fit),
    fitted,
    checked,
    errorBefore,
    errorAfter,
    ...verdict(checked, errorBefore, errorAfter),
    ...(uncertainty === undefined ? {} : { uncertainty }),
  };
}
