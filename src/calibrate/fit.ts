/**
 * Fits a profile's terms to measured times: Gauss-Newton on the logarithms of measured over predicted, with the
 * simulator's own differences as slopes. Robust (Huber's weights), and Bayesian: a term that the evidence says nothing of
 * stays, or moves with what moves all. One factor a term, none for a model or a plan.
 */
import { MeshwrightError } from '../errors.js';
import { resolveProfile } from './resolve-profile.js';
import type { Row } from './solve.js';
import { leastSquares } from './solve.js';
import type { Subject } from './subjects.js';
import type { ProfileDocuments, Term, TimeFactors } from './terms.js';
import { termsOf, withFactors } from './terms.js';

/** Standard deviations of the logarithm of truth over what a profile says, before anything is measured. */
const PRIOR = { measured: 0.25, calibrated: 0.2, published: 0.3, fitted: 0.3, datasheet: 0.3, assumed: 0.8 } as const;
/** That a machine is slower at everything. */
const COMMON_PRIOR = 1;
/** Residuals beyond so many standard deviations count linearly (Huber 1964). */
const HUBER = 1.5;
const ITERATIONS = 5;
/** Most that a logarithm moves in one iteration, since slopes are taken where it was. */
const LONGEST_STEP = 0.8;
/** A term's change by which slopes are taken. */
const DIFFERENCE = 0.02;
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
  /** By subject, at the end: what is left, and how it hangs on the terms. */
  readonly rows: readonly (readonly Row[])[];
  readonly precision: readonly (readonly number[])[];
}

const huberWeight = (standardized: number): number =>
  Math.abs(standardized) <= HUBER ? 1 : HUBER / Math.abs(standardized);
const huberLoss = (standardized: number): number =>
  Math.abs(standardized) <= HUBER ? standardized ** 2 : 2 * HUBER * Math.abs(standardized) - HUBER ** 2;

/** What is said relative to other numbers: it does not change because the machine is slower. */
const isRelative = ({ id }: Term): boolean => /\.(contention|transferEfforts|busyCoreRateFraction)\b/.test(id);

/**
 * Inverse of the covariance diag(σ²) + τ²·u·uᵀ (Sherman and Morrison 1950), where u is 1 for what is slower on a machine
 * that is slower at everything.
 */
function precisionOf(terms: readonly Term[]): number[][] {
  const inverse = terms.map((term) => 1 / priorOf(term) ** 2);
  const pulled = inverse.map((value, index) => (isRelative(terms[index]!) ? 0 : value));
  const shared = COMMON_PRIOR ** 2 / (1 + COMMON_PRIOR ** 2 * pulled.reduce((all, one) => all + one, 0));
  return pulled.map((row, i) => pulled.map((column, j) => (i === j ? inverse[i]! : 0) - shared * row * column));
}

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

  loss(residuals: readonly (readonly number[])[], at: readonly number[], precision: readonly (readonly number[])[]) {
    let sum = 0;
    residuals.forEach((list, subject) =>
      list.forEach((residual, sample) => (sum += huberLoss(residual / this.#noise(subject, sample)))),
    );
    precision.forEach((row, i) => row.forEach((value, j) => (sum += at[i]! * value * at[j]!)));
    return sum;
  }

  look(terms: readonly Term[], at: readonly number[]): Row[][] {
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
          slopes: slopes[subject]![sample]!,
          weight: huberWeight(residual / noise) / noise ** 2,
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

/** Of a factor of a kind of work: ops in a step from the same ops one by one. */
const CORRECTION_PRIOR = 0.3;

const priorOf = ({ id, status, repeatability = 0 }: Term): number =>
  Math.max(id.includes(' chip.corrections.') ? CORRECTION_PRIOR : PRIOR[status], repeatability);

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
  const precision = precisionOf(terms);
  let at = terms.map(() => 0);
  let rows = problem.look(terms, at);
  for (let iteration = 0; iteration < ITERATIONS; iteration++) {
    const change = leastSquares(rows.flat(), at, precision);
    const longest = Math.max(...change.map(Math.abs));
    const loss = (point: readonly number[]): number =>
      problem.loss(problem.residuals(problem.predict(terms, point)), point, precision);
    const before = loss(at);
    let share = Math.min(1, LONGEST_STEP / longest);
    const moved = (): number[] => at.map((value, index) => value + share * change[index]!);
    while (loss(moved()) > before && share * longest > CONVERGED) share /= 2;
    const next = moved();
    if (loss(next) > before) break;
    at = next;
    rows = problem.look(terms, at);
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

/** What the terms would be with rows of other weights, by the slopes at the fit. */
export function refitted(fit: Fit, rows: readonly Row[]): number[] {
  const at = fit.terms.map(({ moved }) => moved);
  const change = leastSquares(rows, at, fit.precision);
  return at.map((value, index) => value + change[index]!);
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
