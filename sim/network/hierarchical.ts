/**
 * Level after level, on each the algorithm that is fastest there: an all-reduce scatters inside the nodes, reduces over
 * the network among members of the same place in their node (each on its own rail), and gathers inside. With L in a node
 * and N nodes 2 (L − 1)/L · S/β inside and 2 (N − 1)/N · S/L/β' across, and the latencies of both (Thakur et al. 2005, §6;
 * Cho et al. 2019, BlueConnect).
 */
import { bytes } from '../../src/units.js';
import type { Algorithm, GroupCollective, Pick } from './algorithm.js';
import { GROUP_COLLECTIVES } from './algorithm.js';
import type { Level } from './axis.js';
import type { Channel } from './types.js';

interface Phase {
  readonly level: number;
  readonly collective: GroupCollective;
  readonly heldBytes: number;
}

/** @param lengths of the levels, outermost first */
function phases(collective: GroupCollective, heldBytes: number, lengths: readonly number[]): Phase[] {
  const gather = (held: number, from: number): Phase[] => {
    let grown = held;
    return lengths.slice(from).map((length, index) => {
      const phase: Phase = { level: from + index, collective: 'all_gather', heldBytes: grown };
      grown *= length;
      return phase;
    });
  };
  const scatter = (held: number, from: number): Phase[] =>
    gather(held / lengths.slice(from).reduce((product, length) => product * length, 1), from)
      .toReversed()
      .map((phase) => ({
        ...phase,
        collective: 'reduce_scatter',
        heldBytes: phase.heldBytes * lengths[phase.level]!,
      }));
  switch (collective) {
    case 'all_gather':
      return gather(heldBytes, 0);
    case 'reduce_scatter':
      return scatter(heldBytes, 0);
    case 'all_reduce': {
      const shard = heldBytes / lengths.slice(1).reduce((product, length) => product * length, 1);
      return [...scatter(heldBytes, 1), { level: 0, collective: 'all_reduce', heldBytes: shard }, ...gather(shard, 1)];
    }
    case 'all_to_all':
      return lengths.map((_, level) => ({ level, collective, heldBytes })).toReversed();
  }
}

const greatestDivisor = (a: number, b: number): number => (b === 0 ? a : greatestDivisor(b, a % b));

/** One after the other, each part of the data on its own: as many channels as all phases can be cut in. */
function inOrder(found: readonly (readonly Channel[])[]): Channel[] {
  const parts = found.reduce((all, { length }) => (all * length) / greatestDivisor(all, length), 1);
  return Array.from({ length: parts }, (_, part) =>
    found.flatMap((channels) =>
      channels[part % channels.length]!.map((round) => ({
        ...round,
        bytes: bytes((round.bytes * channels.length) / parts),
      })),
    ),
  );
}

/** @param algorithms those of each level */
export function hierarchical(
  levels: readonly Level[],
  algorithms: () => readonly (readonly Algorithm[])[],
): Algorithm | undefined {
  if (levels.length < 2) return undefined;
  const inner = algorithms();
  const lengths = levels.map(({ length }) => length);
  return {
    name: 'hierarchical',
    collectives: GROUP_COLLECTIVES,
    channels: (collective, heldBytes, pick: Pick) =>
      inOrder(
        phases(collective, heldBytes, lengths).map((phase) =>
          pick.among(inner[phase.level]!, phase.collective, phase.heldBytes),
        ),
      ),
  };
}
