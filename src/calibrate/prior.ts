/**
 * What is believed of a profile's terms before anything is measured: that each is right within what its source is worth,
 * and that terms which are alike are wrong alike. A machine that is slower is so at everything; ranks that slow each other
 * do so at all work.
 */
import { inverse } from './solve.js';
import type { Term } from './terms.js';

/** Standard deviations of the logarithm of truth over what a profile says, by its status. */
const ALONE = { measured: 0.2, calibrated: 0.15, published: 0.3, fitted: 0.3, datasheet: 0.3, assumed: 0.8 } as const;

/** What repeats so badly says little of itself, but is no more free than what nobody measured. */
const MOST_FROM_REPEATABILITY = 0.3;

interface Family {
  /** Which terms are of it; those of one capture are alike. */
  readonly of: RegExp;
  /** Standard deviations of what is common to those that are alike, and of each beside it. */
  readonly common: number;
  readonly alone?: number;
}

/** The first that a term is of counts. */
const FAMILIES: readonly Family[] = [
  // Ops in a step, from the same ops one by one: as far as caches and memory's pages make a difference.
  { of: /chip\.(corrections)\./, common: 1, alone: 0.15 },
  // Contention was measured with ranks that do nothing else: of each number of ranks, a step's may be another.
  { of: /topology\.(contention\.\d+)\b/, common: 0.2, alone: 0.05 },
  { of: /topology\.(busyCoreRateFraction)/, common: 0.2, alone: 0.05 },
  { of: /topology\.(transferEfforts)\./, common: 0.1, alone: 0.1 },
  // Of what was just computed, that lies in a core's caches or doesn't.
  { of: /topology\.(transfers\.\d+)\./, common: 0.2, alone: 0.2 },
  // Between kernels and messages that are all alike: a step's are not.
  { of: /topology\.(waits\.\d+)\./, common: 0.4, alone: 0.4 },
  // Measured with programs of which hardly anything is left to let go of: a step also frees and collects what it made.
  { of: /(?:hostOverhead|hostTime)()/, common: 1, alone: 1 },
  { of: /()/, common: 1 },
];

interface Belief {
  readonly family: string;
  readonly common: number;
  readonly alone: number;
}

function beliefOf({ id, status, repeatability = 0 }: Term): Belief {
  for (const { of, common, alone = ALONE[status] } of FAMILIES) {
    const found = of.exec(id);
    // What is common to corrections is common to all that has a speed.
    if (found !== null)
      return {
        family: found[1] === 'corrections' ? '' : found[1]!,
        common,
        alone: Math.max(alone, Math.min(repeatability, MOST_FROM_REPEATABILITY)),
      };
  }
  return { family: '', common: 1, alone: ALONE[status] };
}

/** @returns the inverse of the covariance of the terms' logarithms */
export function priorPrecision(terms: readonly Term[]): number[][] {
  const beliefs = terms.map(beliefOf);
  const covariance = beliefs.map((a, i) =>
    beliefs.map((b, j) => (i === j ? a.alone ** 2 : 0) + (a.family === b.family ? a.common * b.common : 0)),
  );
  return inverse(covariance);
}
