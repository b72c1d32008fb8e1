/**
 * Recursive doubling and halving over a power of two of members: a gather exchanges all that is held with the member at
 * half the group's length, then a quarter, … so that log₂ n α + (n − 1) c/β where every exchange has its links to itself
 * (Thakur, Rabenseifner and Gropp 2005, §4). Far members first, while there is little to send. An all-to-all sends half
 * of everything in each of log₂ n exchanges: log₂ n (α + S/2β).
 */
import type { Algorithm, Workshop } from './algorithm.js';
import { algorithmOf, round } from './algorithm.js';
import type { Level } from './axis.js';
import type { Flow } from './types.js';

/** Neighbours, whose ways meet. */
const ENOUGH = 64;

export function halvingDoubling(workshop: Workshop, { length, groups }: Level): Algorithm | undefined {
  const exchanges = Math.log2(length);
  if (!Number.isInteger(exchanges)) return undefined;
  const distances = Array.from({ length: exchanges }, (_, index) => length >> (index + 1));
  const patterns = distances.map((distance) => {
    const flowsOf = (members: readonly number[], count: number): Flow[] =>
      members.slice(0, count).map((from, index) => ({ from, to: members[index ^ distance]!, share: 1 }));
    return workshop.pattern({
      groups,
      flowsOf: (of) => of.flatMap((members) => flowsOf(members, length)),
      someFlows: () => flowsOf(groups[0]!, ENOUGH),
    });
  });
  return algorithmOf(
    'halving-doubling',
    length,
    (held) => patterns.map((pattern, index) => round(pattern, 1, held * 2 ** index)),
    (held) => patterns.map((pattern) => round(pattern, 1, held / 2)),
  );
}
