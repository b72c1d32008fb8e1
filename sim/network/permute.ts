/** Moves along an axis, each tensor by its own shift: every member sends directly to the one so many places farther. */
import { bytes } from '../../src/units.js';
import type { Workshop } from './algorithm.js';
import { round } from './algorithm.js';
import type { Level } from './axis.js';
import type { Channel, CollectiveRequest, Pattern } from './types.js';

export type Shifts = NonNullable<CollectiveRequest['shifts']>;

const around = (index: number, length: number): number => ((index % length) + length) % length;

/**
 * Every member sends to the next, or to the one before: as the stages of a pipeline do.
 *
 * @param closed whether the last sends to the first, too
 */
export function neighbours(workshop: Workshop, { groups }: Level): (by: 1 | -1, closed: boolean) => Pattern {
  const patterns = new Map<string, Pattern>();
  return (by, closed) => {
    const key = `${by} ${closed}`;
    let pattern = patterns.get(key);
    if (pattern === undefined) {
      const next = (members: readonly number[], index: number): number | undefined =>
        closed ? members[around(index + by, members.length)] : members[index + by];
      pattern = workshop.pattern({
        groups,
        flowsOf: (of) =>
          of.flatMap((members) =>
            members.flatMap((from, index) => {
              const to = next(members, index);
              return to === undefined ? [] : [{ from, to, share: 1 }];
            }),
          ),
      });
      patterns.set(key, pattern);
    }
    return pattern;
  };
}

/** All shifts at once: opposite ones use both directions of the links. Those of equally many bytes are one pattern. */
export function permutes(workshop: Workshop, { groups, length }: Level): (shifts: Shifts) => Channel[] {
  const patterns = new Map<string, Pattern>();
  const patternOf = (by: readonly number[]): Pattern => {
    const key = by.join(' ');
    let pattern = patterns.get(key);
    if (pattern === undefined) {
      pattern = workshop.pattern({
        groups,
        flowsOf: (of) =>
          of.flatMap((members) =>
            members.flatMap((from, index) =>
              by.map((places) => ({ from, to: members[around(index + places, length)]!, share: 1 / by.length })),
            ),
          ),
      });
      patterns.set(key, pattern);
    }
    return pattern;
  };
  return (shifts) => {
    const bySize = new Map<number, number[]>();
    for (const { by, bytes: moved } of shifts) bySize.set(moved, [...(bySize.get(moved) ?? []), by]);
    return [...bySize].map(([moved, by]) => [round(patternOf(by), 1, bytes(moved * by.length))]);
  };
}
