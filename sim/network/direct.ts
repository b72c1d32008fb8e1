/**
 * Every member sends to every other at once: the fewest latencies. A gather over n ports of rate β takes
 * α + (n − 1) c/β; on fully connected chips, with a link to each other, α + c/β.
 */
import type { Algorithm, Workshop } from './algorithm.js';
import { algorithmOf, round } from './algorithm.js';
import type { Level } from './axis.js';
import type { Flow } from './types.js';

/** More flows at once are not offered: no library opens as many, and they would take long to work out. */
const MOST_FLOWS = 65_536;

/** To every other member; by distance, so that what a chip sends first is not what all the others send first. */
export function directFlows(groups: Level['groups'], share: number): Flow[] {
  const flows: Flow[] = [];
  for (const members of groups) {
    for (let distance = 1; distance < members.length; distance++)
      members.forEach((from, index) => flows.push({ from, to: members[(index + distance) % members.length]!, share }));
  }
  return flows;
}

export function direct(workshop: Workshop, { length, groups }: Level): Algorithm | undefined {
  if (groups.length * length * (length - 1) > MOST_FLOWS) return undefined;
  // There hardly any two flows are alike, and hop by hop all go over the same shortest ways.
  if (workshop.machine.lattice?.chips === length) return undefined;
  const [first, ...others] = groups[0]!;
  const someFlows = (): Flow[] => others.map((to) => ({ from: first!, to, share: 1 }));
  const pattern = workshop.pattern({ groups, flowsOf: (of) => directFlows(of, 1), someFlows });
  return algorithmOf(
    'direct',
    length,
    (held) => [round(pattern, 1, held)],
    (held) => [round(pattern, 1, held / length)],
  );
}
