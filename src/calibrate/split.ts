/** Which subjects are fitted and which are kept to check the fit: by plan, so that both sides have all numbers of ranks. */
import { createHash } from 'node:crypto';
import type { Subject } from './subjects.js';

/** What of a number of ranks' plans is kept for checking: one in three. */
const CHECKED = 3;

const digest = (text: string): string => createHash('sha256').update(text).digest('hex');

/**
 * The same for the same plans, in whatever order they come and whatever they took.
 *
 * @param chosen groups to fit; the rest is checked. Without it one plan in three is, of each number of ranks
 */
export function splitSubjects(
  subjects: readonly Subject[],
  chosen?: readonly string[],
): { readonly fit: readonly Subject[]; readonly check: readonly Subject[] } {
  const isFitted = chosen === undefined ? dealt(subjects) : (group: string) => chosen.includes(group);
  return {
    fit: subjects.filter(({ group }) => isFitted(group)),
    check: subjects.filter(({ group }) => !isFitted(group)),
  };
}

function dealt(subjects: readonly Subject[]): (group: string) => boolean {
  const ranksOf = new Map(subjects.map(({ group, ranks }) => [group, ranks]));
  // Those of few ranks first: what is left over of one number of ranks goes on with the next.
  const ordered = [...ranksOf].sort(([a, m], [b, n]) => m - n || (digest(a) < digest(b) ? -1 : 1));
  const checked = new Set(ordered.filter((_, index) => index % CHECKED === CHECKED - 1).map(([group]) => group));
  return (group) => !checked.has(group);
}
