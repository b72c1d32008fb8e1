/**
 * Fits a profile's terms to measured times: Gauss-Newton on the logarithms of measured over predicted, with the
 * simulator's own differences as slopes. Robust (Huber's weights), and Bayesian: a term that the evidence says nothing of
 * stays, or moves with what moves all. One factor a term, none for a model or a plan.
 */
import { MeshwrightError } from '../errors.js';
import { priorPrecision } from './prior.js';
import { resolveProfile } from './resolve-profile.js';
import type { Row } from './solve.js';
import { informationOf, leastSquares, solvePositive } from './solve.js';
import type { Subject } from './subjects.js';
import { STEP_NOISE } from './subjects.js';
import type { ProfileDocuments, Term, TimeFactors } from './terms.js';
import { termsOf, withFactors } from './terms.js';

/** Residuals beyond so many standard deviations count linearly (Huber 1964). */
const HUBER = 1.5;
const ITERATIONS = 5;
/** Most that a logarithm moves in one iteration, since slopes are taken where it was. */
const LONGEST_STEP = 0.8;
/** A term's change by which slopes are taken. */
export const DIFFERENCE = 0.02;
const CONVERGED = 2e-3;

export interface FitTerm extends Term {
  /** The logarithm of its new time over its old. */
  readonly moved: number;
  /** How many measured times hang on it noticeably. */
  readonly samples: number;
}

export interface Fit {
  readonly terms: readonly FitTerm[];
  readonly factors: TimeFactors;
  readonly documents: ProfileDocuments;
  /** By subject, at the end: what is left, and how it hangs on the terms, and then on what each subject is off by. */
  readonly rows: readonly (readonly Row[])[];
  readonly precision: readonly (readonly number[])[];
}

const huberWeight = (standardized: number): number =>
  Math.abs(standardized) <= HUBER ? 1 : HUBER / Math.abs(standardized);
const huberLoss = (standardized: number): number =>
  Math.abs(standardized) <= HUBER ? standardized ** 2 : 2 * HUBER * Math.abs(standardized) - HUBER ** 2;

class Problem {
  readonly #documents: ProfileDocuments;
  readonly #subjects: readonly Subject[];
  readonly #source: string;

  constructor(documents: ProfileDocuments, subjects: readonly Subject[], source: string) {
    this.#documents = documents;
    this.#subjects = subjects;
    this.#source = source;
  }

  documents(terms: readonly Term[], at: readonly number[]): ProfileDocuments {
    const factors = new Map(terms.map(({ id }, index) => [id, Math.exp(at[index]!)]));
    return withFactors(this.#documents, factors, this.#source);
  }

  predict(terms: readonly Term[], at: readonly number[]): number[][] {
    const profile = resolveProfile(this.documents(terms, at));
    return this.#subjects.map((subject) => subject.predict(profile));
  }

  residuals(predicted: readonly (readonly number[])[]): number[][] {
    return this.#subjects.map(({ samples }, subject) =>
      samples.map(({ seconds, floor }, index) => {
        const [measured, other] = [seconds + floor, predicted[subject]![index]! + floor];
        return measured > 0 && other > 0 ? Math.log(measured / other) : 0;
      }),
    );
  }

  #noise(subject: number, sample: number): number {
    return this.#subjects[subject]!.samples[sample]!.noise;
  }

  /**
   * What is minimized.
   *
   * @param offsets by subject, what all its times are off by
   */
  loss(
    terms: readonly Term[],
    at: readonly number[],
    offsets: readonly number[],
    precision: readonly (readonly number[])[],
  ): number {
    let sum = 0;
    this.residuals(this.predict(terms, at)).forEach((list, subject) =>
      list.forEach(
        (residual, sample) => (sum += huberLoss((residual - offsets[subject]!) / this.#noise(subject, sample))),
      ),
    );
    const all = [...at, ...offsets];
    precision.forEach((row, i) => row.forEach((value, j) => (sum += all[i]! * value * all[j]!)));
    return sum;
  }

  /** What is left, and how it hangs on the terms and on what all times of its subject are off by. */
  look(terms: readonly Term[], at: readonly number[], offsets: readonly number[]): Row[][] {
    const here = this.predict(terms, at);
    const residuals = this.residuals(here);
    const slopes = residuals.map((list) => list.map((): number[] => new Array<number>(terms.length).fill(0)));
    terms.forEach((_, term) => {
      const there = this.residuals(
        this.predict(
          terms,
          at.map((value, index) => (index === term ? value + DIFFERENCE : value)),
        ),
      );
      there.forEach((list, subject) =>
        list.forEach((residual, sample) => {
          slopes[subject]![sample]![term] = (residuals[subject]![sample]! - residual) / DIFFERENCE;
        }),
      );
    });
    return residuals.map((list, subject) =>
      list.map((residual, sample): Row => {
        const noise = this.#noise(subject, sample);
        return {
          residual,
          slopes: [...slopes[subject]![sample]!, ...this.#subjects.map((_, other) => (other === subject ? 1 : 0))],
          weight: huberWeight((residual - offsets[subject]!) / noise) / noise ** 2,
        };
      }),
    );
  }
}

/** Terms that any prediction hangs on. */
function actingTerms(problem: Problem, all: readonly Term[]): Term[] {
  const none = all.map(() => 0);
  const here = problem.residuals(problem.predict(all, none));
  return all.filter((_, term) => {
    const moved = none.map((_, index) => (index === term ? DIFFERENCE : 0));
    const there = problem.residuals(problem.predict(all, moved));
    return there.some((list, subject) =>
      list.some((value, sample) => Math.abs(value - here[subject]![sample]!) > 1e-9),
    );
  });
}

/**
 * What all times of one run are off by together, beside what the terms explain, as a standard deviation: what else ran on
 * the machine meanwhile, and how its memory came to lie.
 */
const RUN_NOISE = 0.06;

/** What steps of runs differ by beside what the terms explain, as a variance of logarithms. */
export const RUN_VARIANCE = RUN_NOISE ** 2 + STEP_NOISE ** 2;

/** The precision of the terms, and of what each subject is off by. */
export const withOffsets = (precision: readonly (readonly number[])[], count: number): number[][] => {
  const none = Array.from({ length: count }, () => 0);
  return [
    ...precision.map((row) => [...row, ...none]),
    ...none.map((_, subject) => [
      ...precision.map(() => 0),
      ...none.map((_, other) => (other === subject ? 1 / RUN_NOISE ** 2 : 0)),
    ]),
  ];
};

/**
 * How far off the fit expects a run to be when only some of its rows are fitted, as a variance of logarithms: by what is
 * not known of its terms, by what all times of a run are off by, and by what is measured of its step.
 *
 * @param rows that are fitted
 */
export function expectedVariance(fit: Fit, rows: readonly Row[], slopes: readonly number[]): number {
  const count = fit.terms.length;
  const padded = [...slopes.slice(0, count), ...fit.rows.map(() => 0)];
  const solved = solvePositive(informationOf(rows, fit.precision), padded);
  const known = padded.reduce((sum, slope, index) => sum + slope * solved[index]!, 0);
  return known + RUN_VARIANCE;
}

/** How much of a sample's time has to hang on a term for it to be counted as told by it. */
const NOTICEABLE = 0.05;

/**
 * @param subjects what was measured; all are fitted
 * @param source of every number that moves
 */
export function fitProfile(documents: ProfileDocuments, subjects: readonly Subject[], source: string): Fit {
  if (subjects.length === 0)
    throw new MeshwrightError('RUN_INVALID', { place: 'calibration', expected: 'something measured', got: 'nothing' });
  const problem = new Problem(documents, subjects, source);
  const terms = actingTerms(problem, termsOf(documents));
  const precision = withOffsets(priorPrecision(terms), subjects.length);
  let at = terms.map(() => 0);
  let offsets = subjects.map(() => 0);
  let rows = problem.look(terms, at, offsets);
  for (let iteration = 0; iteration < ITERATIONS; iteration++) {
    // Offsets begin at zero each time: what is left is without them.
    const found = leastSquares(rows.flat(), [...at, ...subjects.map(() => 0)], precision);
    const change = found.slice(0, terms.length);
    offsets = found.slice(terms.length);
    const longest = Math.max(...change.map(Math.abs));
    const moved = (share: number): number[] => at.map((value, index) => value + share * change[index]!);
    const loss = (share: number): number => problem.loss(terms, moved(share), offsets, precision);
    const before = loss(0);
    let share = Math.min(1, LONGEST_STEP / longest);
    while (loss(share) > before && share * longest > CONVERGED) share /= 2;
    if (loss(share) > before) break;
    at = moved(share);
    rows = problem.look(terms, at, offsets);
    if (share * longest < CONVERGED) break;
  }
  const factors = new Map(terms.map(({ id }, index) => [id, Math.exp(at[index]!)]));
  const told = (term: number): number =>
    rows.flat().filter(({ slopes }) => Math.abs(slopes[term]!) > NOTICEABLE).length;
  return {
    terms: terms.map((term, index) => ({ ...term, moved: at[index]!, samples: told(index) })),
    factors,
    documents: problem.documents(terms, at),
    rows,
    precision,
  };
}

/** What the terms would be with other rows, by the slopes at the fit. */
export function refitted(fit: Fit, rows: readonly Row[]): number[] {
  const at = fit.terms.map(({ moved }) => moved);
  const change = leastSquares(rows, [...at, ...fit.rows.map(() => 0)], fit.precision);
  return at.map((value, index) => value + change[index]!);
}

/** What is left of subjects that were not fitted, and how it hangs on all terms of the profile at the fit. */
export function rowsOf(documents: ProfileDocuments, fit: Fit, subjects: readonly Subject[], source: string): Row[][] {
  const terms = termsOf(documents);
  const at = terms.map(({ id }) => Math.log(fit.factors.get(id) ?? 1));
  return new Problem(documents, subjects, source).look(
    terms,
    at,
    subjects.map(() => 0),
  );
}

/** The profile as it would be without a subject, and all of its group, by the slopes at the fit. */
export function fittedWithout(
  fit: Fit,
  documents: ProfileDocuments,
  subjects: readonly Subject[],
  index: number,
  source: string,
): ProfileDocuments {
  const { group } = subjects[index]!;
  const at = refitted(fit, fit.rows.filter((_, other) => subjects[other]!.group !== group).flat());
  const factors = new Map(fit.terms.map(({ id }, term) => [id, Math.exp(at[term]!)]));
  return withFactors(documents, factors, source);
}
