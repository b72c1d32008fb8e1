/** What an algorithm is to the choice among them. */
import type { CollectiveName } from '../../src/program/index.js';
import { bytes } from '../../src/units.js';
import type { Machine, Stage } from '../machine/index.js';
import type { PatternSource } from './machine-pattern.js';
import type { AlgorithmName, Channel, Pattern, Round } from './types.js';

/** Everything but `permute`, which has shifts of its own. */
export type GroupCollective = Exclude<CollectiveName, 'permute'>;
export const GROUP_COLLECTIVES = [
  'all_gather',
  'reduce_scatter',
  'all_reduce',
  'all_to_all',
] as const satisfies readonly GroupCollective[];

export interface Algorithm {
  readonly name: AlgorithmName;
  readonly collectives: readonly GroupCollective[];
  /** @param pick makes the choices that are to be made */
  channels(collective: GroupCollective, heldBytes: number, pick: Pick): readonly Channel[];
}

/** One way of doing something. */
export type Option = (pick: Pick) => readonly Channel[];

/** Chooses by how long things take, or, to know what an algorithm surely takes, by how long they surely take. */
export interface Pick {
  seconds(pattern: Pattern, bytes: number): number;
  /** The fastest of the algorithms that may be taken, over a part of the axis. */
  among(algorithms: readonly Algorithm[], collective: GroupCollective, heldBytes: number): readonly Channel[];
  /** Of options that are as fast the first. */
  fastest(options: readonly Option[]): readonly Channel[];
}

/** Rings of so many members: rounds of a gather, and of an all-to-all, of so many bytes held. */
export interface Ring {
  readonly length: number;
  readonly pattern: Pattern;
  gather(heldBytes: number): Round[];
  exchange(heldBytes: number): Round[];
}

/** What all algorithms of a machine are made from. */
export interface Workshop {
  readonly machine: Machine;
  pattern(source: PatternSource): Pattern;
  /** The same each time. */
  ring(stage: Stage, bothWays: boolean): Ring;
}

export function lazily<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

/** Nothing of it is added up by chips. */
export const round = (pattern: Pattern, steps: number, moved: number): Round => ({
  pattern,
  steps,
  bytes: bytes(moved),
  summed: 0,
});

/** A gather the other way about: all that a chip gets is to be added. */
const backwards = (gather: readonly Round[]): Round[] => gather.toReversed().map((round) => ({ ...round, summed: 1 }));

/**
 * The collectives that are gathers and gathers backwards: a reduce-scatter moves what a gather does in the opposite
 * order, an all-reduce is a reduce-scatter and a gather (Chan et al. 2007, §4).
 *
 * @param gather rounds in which each of `length` members, holding so many bytes, gets those of all
 * @param exchange rounds of an all-to-all of so many bytes held
 */
export function roundsOf(
  collective: GroupCollective,
  heldBytes: number,
  length: number,
  gather: (heldBytes: number) => readonly Round[],
  exchange: (heldBytes: number) => readonly Round[],
): readonly Round[] {
  switch (collective) {
    case 'all_gather':
      return gather(heldBytes);
    case 'reduce_scatter':
      return backwards(gather(heldBytes / length));
    case 'all_reduce':
      return [...backwards(gather(heldBytes / length)), ...gather(heldBytes / length)];
    case 'all_to_all':
      return exchange(heldBytes);
  }
}

/** One channel of rounds for each collective, as of `roundsOf`. */
export const algorithmOf = (
  name: AlgorithmName,
  length: number,
  gather: (heldBytes: number) => readonly Round[],
  exchange: (heldBytes: number) => readonly Round[],
): Algorithm => ({
  name,
  collectives: GROUP_COLLECTIVES,
  channels: (collective, heldBytes) => [roundsOf(collective, heldBytes, length, gather, exchange)],
});
