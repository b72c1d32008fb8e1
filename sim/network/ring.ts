/**
 * Rings, over one stage after the other: a gather over the slow ones first, while there is little to move, a scatter
 * last.
 *
 * One way (the bucket algorithm: Chan et al. 2007, §4.2; Patarasuk and Yuan 2009): with a chunk of c bytes at each of n
 * members a gather takes (n − 1)(α + c/β). Both ways, where the ring closes, chunks go half-way round in either
 * direction, so that it takes ⌊n/2⌋ steps and, in all, ⌊n/2⌋ α + (n − 1)/2 · c/β: for even n the last step brings half of
 * the opposite member's chunk from either side. In an all-to-all chunks are passed on to members farther along: one way
 * n(n − 1)/2 chunks go over each link, both ways n²/8 (Scott 1991 for the bound).
 */
import type { Stage } from '../machine/index.js';
import type { Algorithm, Ring, Workshop } from './algorithm.js';
import { GROUP_COLLECTIVES, round, roundsOf } from './algorithm.js';
import type { Level } from './axis.js';
import type { Flow, Pattern, Round } from './types.js';

/** What a message of 1 GB takes says which stage is slow. */
const LARGE = 1e9;

/** On a line out over every second member and back over the others: no hop is farther than two. */
const foldedLine = (members: readonly number[]): readonly number[] => [
  ...members.filter((_, index) => index % 2 === 0),
  ...members.filter((_, index) => index % 2 === 1).toReversed(),
];

const isLine = ({ kind, bidirectional, length }: Stage): boolean => kind === 'torus' && !bidirectional && length > 3;

export function ringFlows(rings: readonly (readonly number[])[], bothWays: boolean): Flow[] {
  const flows: Flow[] = [];
  for (const ring of rings) {
    ring.forEach((from, index) => {
      flows.push({ from, to: ring[(index + 1) % ring.length]!, share: 1 });
      if (bothWays) flows.push({ from, to: ring[(index + ring.length - 1) % ring.length]!, share: 1 });
    });
  }
  return flows;
}

/** @param both ways round, where the ring closes */
export function stageRing(workshop: Workshop, stage: Stage, both: boolean): Ring {
  const pattern = workshop.pattern({
    groups: stage.groups,
    flowsOf: (groups) => ringFlows(isLine(stage) ? groups.map(foldedLine) : groups, both),
  });
  return ringRounds(pattern, stage.length, both);
}

/** @param pattern of a step: to the next member, or to both neighbours */
export function ringRounds(pattern: Pattern, length: number, both: boolean): Ring {
  const half = Math.floor(length / 2);
  const opposite = length % 2 === 0;
  return {
    length,
    pattern,
    gather: (held) => {
      if (!both) return [round(pattern, length - 1, held)];
      const whole = round(pattern, opposite ? half - 1 : half, held);
      return opposite ? [whole, round(pattern, 1, held / 2)] : [whole];
    },
    exchange: (held) => {
      const chunk = held / length;
      const steps = both ? half : length - 1;
      // What still has to go on in step s, to members at least s places away; to the opposite one half goes either way.
      const passing = (step: number): number => (both ? half - step - (opposite ? 0.5 : 0) : length - 1 - step);
      return Array.from({ length: steps }, (_, step) => round(pattern, 1, passing(step) * chunk));
    },
  };
}

/** Rounds over stages in the order given. */
export function gatherOver(rings: readonly Ring[], heldBytes: number): Round[] {
  let held = heldBytes;
  return rings.flatMap((ring) => {
    const rounds = ring.gather(held);
    held *= ring.length;
    return rounds;
  });
}

function stageAfterStage(
  workshop: Workshop,
  { stages, length }: Level,
  name: Algorithm['name'],
  both: boolean,
): Algorithm {
  const rings = stages.map((stage) => workshop.ring(stage, both));
  return {
    name,
    collectives: GROUP_COLLECTIVES,
    channels: (collective, heldBytes, pick) => {
      const slowestFirst =
        rings.length === 1
          ? rings
          : rings.toSorted((a, b) => pick.seconds(b.pattern, LARGE) - pick.seconds(a.pattern, LARGE));
      return [
        roundsOf(
          collective,
          heldBytes,
          length,
          (held) => gatherOver(slowestFirst, held),
          (held) => slowestFirst.flatMap((ring) => ring.exchange(held)),
        ),
      ];
    },
  };
}

/**
 * One ring through all chips of all nodes for each chip of a node, as NCCL lays them: it enters a node at that chip,
 * visits the others and leaves by the network card of its neighbour, in every second node the other way about, so that
 * each card carries one of the rings. A step of all rings together moves (L − 1)/L of the bytes inside nodes of L and
 * 1/L over each card.
 */
function acrossNodes(workshop: Workshop, level: Level): Algorithm {
  const perNode = level.stages.at(-1)!.length;
  const { length } = level;
  const nodes = length / perNode;
  const flowsOf = (groups: Level['groups']): Flow[] => {
    const flows: Flow[] = [];
    for (const members of groups) {
      members.forEach((from, index) => {
        const node = Math.floor(index / perNode);
        const way = node % 2 === 0 ? 1 : perNode - 1;
        const local = index % perNode;
        const inside = node * perNode + ((local + way) % perNode);
        // The rings of an odd number of nodes close from one even node to another, where they leave by another card.
        const shift = node === nodes - 1 && nodes % 2 === 1 ? 1 : 0;
        const across = ((node + 1) % nodes) * perNode + ((local + shift) % perNode);
        flows.push({ from, to: members[inside]!, share: (perNode - 1) / perNode });
        flows.push({ from, to: members[across]!, share: 1 / perNode });
      });
    }
    return flows;
  };
  const pattern = workshop.pattern({ groups: level.groups, flowsOf });
  return {
    name: 'ring',
    collectives: ['all_gather', 'reduce_scatter', 'all_reduce'],
    channels: (collective, heldBytes) => [
      roundsOf(
        collective,
        heldBytes,
        length,
        (held) => [round(pattern, length - 1, held)],
        () => [],
      ),
    ],
  };
}

export function ring(workshop: Workshop, level: Level): Algorithm {
  const { stages } = level;
  const rails = stages.length === 2 && stages[0]!.kind === 'network' && stages[1]!.kind === 'node';
  return rails ? acrossNodes(workshop, level) : stageAfterStage(workshop, level, 'ring', false);
}

/** Where some ring closes; over stages where it doesn't, one way. */
export const bidirectionalRing = (workshop: Workshop, level: Level): Algorithm | undefined =>
  level.stages.some(({ bidirectional, length }) => bidirectional && length > 2)
    ? stageAfterStage(workshop, level, 'bidirectional-ring', true)
    : undefined;
