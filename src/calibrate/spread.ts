/**
 * Between what a job lies that was not measured, job by job: s² + xᵀ·C·x, where s² is what runs differ by beside what is
 * predicted of them, x how the job's step hangs on each term, and C what a fit leaves in doubt of the terms. A profile
 * keeps a few directions whose squares add up to nearly all of C, so that a prediction needs one simulation for each
 * instead of one for each term; what they leave of steps like those fitted is added to s².
 */
import type { Spread, Uncertainty } from '../hardware/index.js';
import type { Fit } from './fit.js';
import { DIFFERENCE, RUN_VARIANCE, withOffsets } from './fit.js';
import { priorPrecision } from './prior.js';
import { resolveProfile } from './resolve-profile.js';
import { informationOf, inverse } from './solve.js';
import type { ResolvedProfile } from './subjects.js';
import type { ProfileDocuments, TimeFactors } from './terms.js';
import { termsOf, withFactors } from './terms.js';

type Vector = readonly number[];

const dot = (a: Vector, b: Vector): number => a.reduce((sum, value, index) => sum + value * b[index]!, 0);

/** What a fit leaves in doubt of a profile's terms, those included that no run of it hung on. */
export interface Doubt {
  /** By the order of `termsOf`. */
  readonly ids: readonly string[];
  readonly covariance: readonly Vector[];
}

/** @param documents that were fitted, as they were before */
export function doubtOf(documents: ProfileDocuments, fit: Fit): Doubt {
  const terms = termsOf(documents);
  const ids = terms.map(({ id }) => id);
  const placeOf = fit.terms.map(({ id }) => ids.indexOf(id));
  const none = [...ids, ...fit.rows].map(() => 0);
  const rows = fit.rows.flat().map(({ slopes, ...row }) => {
    const all = [...none];
    slopes.forEach((slope, index) => (all[placeOf[index] ?? index - placeOf.length + ids.length] = slope));
    return { ...row, slopes: all };
  });
  const all = inverse(informationOf(rows, withOffsets(priorPrecision(terms), fit.rows.length)));
  return { ids, covariance: ids.map((_, row) => all[row]!.slice(0, ids.length)) };
}

const times = (matrix: readonly Vector[], vector: Vector): number[] => matrix.map((row) => dot(row, vector));

/**
 * The variance that is expected of a run that was not fitted.
 *
 * @param slopes of its step by each term of `doubt`
 */
export const varianceOf = ({ covariance }: Doubt, slopes: Vector): number =>
  dot(slopes, times(covariance, slopes)) + RUN_VARIANCE;

/** Simulations that an interval may cost beside the prediction itself. */
const MOST_DIRECTIONS = 12;
/** Directions that add less to the variance of any step in question than this share of what runs differ by are left out. */
const LEAST_SHARE = 0.02;

/** A term's slope where a step hangs on it: what steps of other kinds hang on is asked about as well. */
function typicalSlope(steps: readonly Vector[]): number {
  const all = steps.flat().filter((slope) => slope !== 0);
  return all.length === 0 ? 0 : Math.sqrt(dot(all, all) / all.length);
}

/** What may be asked about: steps as they were fitted, each part of them alone, and terms that none of them hangs on. */
function probesOf(steps: readonly Vector[], count: number): Vector[] {
  const alone = (term: number, slope: number): number[] =>
    Array.from({ length: count }, (_, index) => (index === term ? slope : 0));
  const typical = typicalSlope(steps);
  const parts = Array.from({ length: count }, (_, term) => {
    const slopes = steps.map((step) => Math.abs(step[term]!));
    return alone(term, slopes.some((slope) => slope > 0) ? Math.max(...slopes) : typical);
  });
  return [...steps, ...parts];
}

interface Directions {
  readonly directions: readonly Vector[];
  /** Covariance that they leave. */
  readonly rest: readonly Vector[];
}

/**
 * One after the other what is left in doubt of the step that is left most in doubt (a Cholesky factorization with pivots,
 * in the space of steps): all doubt of that step is then in the directions.
 */
function directionsOf({ covariance }: Doubt, probes: readonly Vector[]): Directions {
  const directions: Vector[] = [];
  let rest = covariance;
  while (directions.length < MOST_DIRECTIONS) {
    const along = probes.map((probe) => times(rest, probe));
    const variances = probes.map((probe, index) => dot(probe, along[index]!));
    const most = Math.max(...variances);
    if (!(most > LEAST_SHARE * RUN_VARIANCE)) break;
    const direction = along[variances.indexOf(most)]!.map((value) => value / Math.sqrt(most));
    rest = rest.map((row, i) => row.map((value, j) => value - direction[i]! * direction[j]!));
    directions.push(direction);
  }
  return { directions, rest };
}

const DIGITS = 4;
const rounded = (value: number): number => Number(value.toFixed(DIGITS));
/** Of a logarithm; of hardly any term does a step hang on more than a part. */
const NOTHING = 0.003;

/**
 * @param steps how each measured step hangs on the terms of `doubt`
 * @param scale what standard deviations are multiplied by
 */
export function spreadOf(doubt: Doubt, steps: readonly Vector[], scale: number): Spread {
  const { directions, rest } = directionsOf(doubt, probesOf(steps, doubt.ids.length));
  const left = steps.reduce((sum, step) => sum + Math.max(0, dot(step, times(rest, step))), 0) / steps.length;
  return {
    own: rounded(scale * Math.sqrt(RUN_VARIANCE + left)),
    directions: directions.map((direction) =>
      Object.fromEntries(
        doubt.ids.flatMap((id, index) => {
          const moves = rounded(scale * direction[index]!);
          return Math.abs(moves) < NOTHING ? [] : [[id, moves]];
        }),
      ),
    ),
  };
}

/** A profile a little way along one of the directions in which it may be wrong. */
export interface Along {
  readonly profile: ResolvedProfile;
  /** How far, of the whole direction. */
  readonly share: number;
}

/** One for each direction of the profile's stack; none where it has none. */
export function profilesAlong(documents: ProfileDocuments): Along[] {
  const { spread } = documents.stack.uncertainty?.value ?? {};
  return (spread?.directions ?? []).flatMap((direction) => {
    const most = Math.max(0, ...Object.values(direction).map(Math.abs));
    if (most === 0) return [];
    const share = DIFFERENCE / most;
    const factors: TimeFactors = new Map(
      Object.entries(direction).map(([id, moves]) => [id, Math.exp(share * moves)] as const),
    );
    const moved = withFactors(documents, factors, 'where the profile may be wrong');
    return [{ profile: resolveProfile(moved), share }];
  });
}

/** Quantiles of measured over predicted step time. */
export type Quantiles = Pick<Uncertainty, 'p10' | 'p50' | 'p90'>;

/**
 * Of a job, by what it is predicted to take.
 *
 * @param along what it takes on each of `profilesAlong`, over what it takes on the profile itself
 */
export function quantilesOf(
  { spread, repeatability = 0, p10, p50, p90 }: Uncertainty,
  profiles: readonly Pick<Along, 'share'>[],
  along: readonly number[],
): Quantiles {
  if (spread === undefined) return { p10, p50, p90 };
  const moves = profiles.map(({ share }, index) => Math.log(along[index]!) / share);
  const width = Math.max(repeatability, Math.hypot(spread.own, ...moves));
  return { p10: Math.exp(-width), p50: 1, p90: Math.exp(width) };
}
