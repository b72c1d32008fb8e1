/** Moves along an axis, each tensor by its own shift: every member sends directly to the one so many places farther. */
import { bytes } from '../../src/units.js';
import type { Workshop } from './algorithm.js';
import { round } from './algorithm.js';
import type { Level } from './axis.js';
import type { Channel, CollectiveRequest, Pattern, Ways } from './types.js';

export type Shifts = NonNullable<CollectiveRequest['shifts']>;

const around = (index: number, length: number): number => ((index % length) + length) % length;

/** Transfers between places along an axis, in all groups at once. @returns the pattern of some ways: from, to */
export function movesOver(workshop: Workshop, { groups }: Level): (ways: Ways) => Pattern {
  const patterns = new Map<string, Pattern>();
  return (ways) => {
    const key = ways.join(' ');
    let pattern = patterns.get(key);
    if (pattern === undefined) {
      pattern = workshop.pattern({
        groups,
        flowsOf: (of) =>
          of.flatMap((members) => ways.map(([from, to]) => ({ from: members[from]!, to: members[to]!, share: 1 }))),
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
