/**
 * What values pend on: for each axis the last run of a collective over it that must be done before they are there. One
 * an axis is enough, because collectives over one axis are done in the order of their issue.
 */

/** Which run of which collective: its place in the order of issue of all runs, from 0. */
export type RunId = number;

/** Ascending, at most one an axis. */
export type Pending = readonly RunId[];

export const NOTHING: Pending = [];

/** Of a stack: what all of it pends on, and, where they differ, each element. */
export interface Readiness {
  readonly runs: Pending;
  readonly elements: readonly Pending[] | undefined;
}

export const READY: Readiness = { runs: NOTHING, elements: undefined };

/** What both pend on; `axisOf` gives a number for the axis of a run. */
export function union(a: Pending, b: Pending, axisOf: (run: RunId) => number): Pending {
  if (a.length === 0 || a === b) return b;
  if (b.length === 0) return a;
  const later = (run: RunId, others: Pending): boolean =>
    others.some((other) => other > run && axisOf(other) === axisOf(run));
  const kept = a.filter((run) => !later(run, b));
  for (const run of b) if (!kept.includes(run) && !later(run, a)) kept.push(run);
  return kept.sort((one, other) => one - other);
}
