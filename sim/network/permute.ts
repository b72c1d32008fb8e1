/** Moves along an axis, each tensor by its own shift: every member sends directly to the one so many places farther. */
import { bytes } from '../../src/units.js';
import type { Workshop } from './algorithm.js';
import { round } from './algorithm.js';
import type { Level } from './axis.js';
import type { Channel, CollectiveRequest, Flow, Pattern, Ways } from './types.js';

export type Shifts = NonNullable<CollectiveRequest['shifts']>;

const around = (index: number, length: number): number => ((index % length) + length) % length;

/** Patterns of moves within each group, made once for each key. */
function patternsOf<Key extends readonly unknown[]>(
  workshop: Workshop,
  groups: Level['groups'],
  movesOf: (key: Key, members: readonly number[]) => Flow[],
): (key: Key) => Pattern {
  const patterns = new Map<string, Pattern>();
  return (key) => {
    const name = key.join(' ');
    let pattern = patterns.get(name);
    if (pattern === undefined) {
      pattern = workshop.pattern({ groups, flowsOf: (of) => of.flatMap((members) => movesOf(key, members)) });
      patterns.set(name, pattern);
    }
    return pattern;
  };
}

/** Transfers between places along an axis, in all groups at once. @returns the pattern of some ways: from, to */
export const movesOver = (workshop: Workshop, { groups }: Level): ((ways: Ways) => Pattern) =>
  patternsOf(workshop, groups, (ways: Ways, members) =>
    ways.map(([from, to]) => ({ from: members[from]!, to: members[to]!, share: 1 })),
  );

/** All shifts at once: opposite ones use both directions of the links. Those of equally many bytes are one pattern. */
export function permutes(workshop: Workshop, { groups, length }: Level): (shifts: Shifts) => Channel[] {
  const patternOf = patternsOf(workshop, groups, (by: readonly number[], members) =>
    members.flatMap((from, index) =>
      by.map((places) => ({ from, to: members[around(index + places, length)]!, share: 1 / by.length })),
    ),
  );
  return (shifts) => {
    const bySize = new Map<number, number[]>();
    for (const { by, bytes: moved } of shifts) bySize.set(moved, [...(bySize.get(moved) ?? []), by]);
    return [...bySize].map(([moved, by]) => [round(patternOf(by), 1, bytes(moved * by.length))]);
  };
}
