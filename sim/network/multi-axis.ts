/**
 * All dimensions of a torus at once: the data are cut in as many equal parts as there are dimensions D, and part p goes
 * through them in the order that begins with the p-th (Jouppi et al. 2023, TPU v4, §2; Sack and Gropp 2015 for the
 * scheme). Rings go both ways where they close. On n members and equal lengths l a gather of chunks of c bytes takes
 * D ⌊l/2⌋ α + (n − 1) c/(2Dβ): all links work all the time. With different lengths parts meet on the longer dimensions
 * and share their links; equal parts are kept, whose channels would end together if they did not meet. Chips may not get
 * all their links to work at once (the topology's `multiAxisShare`): then every transfer takes as much longer.
 */
import type { Algorithm, Workshop } from './algorithm.js';
import { GROUP_COLLECTIVES, roundsOf } from './algorithm.js';
import type { Level } from './axis.js';
import { overLattice } from './lattice.js';
import { gatherOver } from './ring.js';
import type { Round } from './types.js';

export function multiAxis(workshop: Workshop, level: Level): Algorithm | undefined {
  const { stages, length } = level;
  if (stages.length < 2 || !stages.every(({ kind }) => kind === 'torus')) return undefined;
  const { lattice, hardware } = workshop.machine;
  const whole = lattice?.chips === length;
  const found = whole ? overLattice(workshop, lattice, level) : overStages(workshop, level);
  const share = hardware.topology.kind === 'torus' ? hardware.topology.multiAxisShare : 1;
  if (share === 1) return found;
  const slowed = (rounds: readonly Round[]): readonly Round[] =>
    rounds.map((round) => ({ ...round, effort: 1 / share }));
  return {
    ...found,
    channels: (collective, ...asked) => {
      const channels = found.channels(collective, ...asked);
      // Over a lattice an all-to-all stands for sends to all at once, which aren't slowed on a plain torus either.
      return whole && collective === 'all_to_all' ? channels : channels.map(slowed);
    },
  };
}

function overStages(workshop: Workshop, { stages, length }: Level): Algorithm {
  const rings = stages.map((stage) => workshop.ring(stage, true));
  return {
    name: 'multi-axis',
    collectives: GROUP_COLLECTIVES,
    channels: (collective, heldBytes) =>
      rings.map((_, part) => {
        const order = [...rings.slice(part), ...rings.slice(0, part)];
        return roundsOf(
          collective,
          heldBytes / rings.length,
          length,
          (held) => gatherOver(order, held),
          (held) => order.flatMap((ring) => ring.exchange(held)),
        );
      }),
  };
}
