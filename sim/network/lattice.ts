/**
 * All dimensions of a twisted torus at once, over an axis that has all of it. Its rings don't close within the rows of
 * its dimensions, but every chip has the same links, and that is all it takes.
 *
 * A gather goes along one dimension after the other, as on a torus: along the first until it comes back, which is a ring
 * of some chips; whatever chip of such a ring the next dimension leads to, it has what all of that ring have, so that it
 * goes on from ring to ring until it comes back to the first, and so forth. On slices of k and 2k the first dimension,
 * whichever it is, takes 2k steps where its long rows go through others, and the same is left for the others in every
 * order: parts that begin with different dimensions don't meet.
 *
 * In an all-to-all everything goes hop by hop on shortest ways, all of them in turn where there are several, and a step
 * moves all that is still under way. All dimensions are then equally long across, which is what a twist is for.
 */
import type { Lattice } from '../machine/index.js';
import type { Algorithm, Workshop } from './algorithm.js';
import { GROUP_COLLECTIVES, lazily, round, roundsOf } from './algorithm.js';
import type { Level } from './axis.js';
import { gatherOver, ringRounds } from './ring.js';
import type { Flow, Pattern, Round } from './types.js';

const rotations = (dimensions: number): number[][] =>
  Array.from({ length: dimensions }, (_, first) =>
    Array.from({ length: dimensions }, (_one, index) => (first + index) % dimensions),
  );

/** How many steps along each dimension in turn lead to chips where the dimensions before have not led. */
export function latticeLengths({ neighbour }: Lattice, order: readonly number[]): number[] {
  let reached = [0];
  return order.map((dimension) => {
    const before = new Set(reached);
    const all = [...reached];
    let length = 1;
    for (let next = neighbour(0, dimension, 1); !before.has(next); next = neighbour(next, dimension, 1)) {
      reached = reached.map((chip) => neighbour(chip, dimension, 1));
      for (const one of reached) all.push(one);
      length++;
    }
    reached = all;
    return length;
  });
}

/** Of each step the messages that a chip sends along each dimension, up and down. */
function exchangeLoads({ dimensions, chips, waysTo }: Lattice): Float64Array[] {
  const orders = rotations(dimensions);
  const steps: Float64Array[] = [];
  for (let to = 1; to < chips; to++) {
    const ways = waysTo(to);
    for (const way of ways) {
      for (const order of orders) {
        let step = 0;
        for (const dimension of order) {
          const hops = way[dimension]!;
          for (let hop = 0; hop < Math.abs(hops); hop++) {
            const load = (steps[step++] ??= new Float64Array(2 * dimensions));
            load[2 * dimension + (hops > 0 ? 0 : 1)]! += 1 / (ways.length * orders.length);
          }
        }
      }
    }
  }
  return steps;
}

export function overLattice(workshop: Workshop, lattice: Lattice, { length, groups }: Level): Algorithm {
  const { dimensions, neighbour } = lattice;
  /** @param shares by dimension, up and down */
  const flowsOf = (of: Level['groups'], shares: ArrayLike<number>): Flow[] =>
    of.flatMap((members) =>
      members.flatMap((from) =>
        Array.from({ length: 2 * dimensions }, (_, way) => way)
          .filter((way) => shares[way]! > 0)
          .map((way) => ({ from, to: neighbour(from, way >> 1, way % 2 === 0 ? 1 : -1), share: shares[way]! })),
      ),
    );
  const patternOf = (shares: ArrayLike<number>): Pattern =>
    workshop.pattern({ groups, flowsOf: (of) => flowsOf(of, shares) });
  const along = Array.from({ length: dimensions }, (_, dimension) =>
    patternOf(Array.from({ length: 2 * dimensions }, (_one, way) => (way >> 1 === dimension ? 1 : 0))),
  );
  const parts = rotations(dimensions).map((order) => {
    const lengths = latticeLengths(lattice, order);
    return order.map((dimension, index) => ringRounds(along[dimension]!, lengths[index]!, true));
  });
  const steps = lazily(() => exchangeLoads(lattice).map(patternOf));
  const exchange = (heldBytes: number): Round[] => steps().map((pattern) => round(pattern, 1, heldBytes / length));
  return {
    name: 'multi-axis',
    collectives: GROUP_COLLECTIVES,
    channels: (collective, heldBytes) =>
      collective === 'all_to_all'
        ? [exchange(heldBytes)]
        : parts.map((rings) =>
            roundsOf(collective, heldBytes / parts.length, length, (held) => gatherOver(rings, held), exchange),
          ),
  };
}
