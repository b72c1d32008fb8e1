/** What an algorithm is to the choice among them. */
import type { CollectiveName } from '../../src/program/index.js';
import { bytes } from '../../src/units.js';
import type { Machine } from '../machine/index.js';
import { createPattern } from './pattern.js';
import type { AlgorithmName, Channel, Flow, Pattern, Round, Sharing } from './types.js';

/** Everything but `permute`, which has shifts of its own. */
export type GroupCollective = Exclude<CollectiveName, 'permute'>;

export interface Algorithm {
  readonly name: AlgorithmName;
  readonly collectives: readonly GroupCollective[];
  /** @param pick chooses among the algorithms of a part of the axis, for those that are made of others */
  channels(collective: GroupCollective, heldBytes: number, pick: Pick): readonly Channel[];
  /**
   * Seconds that it surely takes, found without its patterns, so that those that can't win are not built; 0 where they
   * cost little.
   */
  least?(collective: GroupCollective, heldBytes: number): number;
}

/** One way of doing something, and seconds that it surely takes. */
export interface Option {
  readonly least: number;
  channels(): readonly Channel[];
}

export interface Pick {
  /** The fastest of the algorithms that may be taken. */
  among(algorithms: readonly Algorithm[], collective: GroupCollective, heldBytes: number): readonly Channel[];
  fastest(options: readonly Option[]): readonly Channel[];
}

/** What all algorithms of a machine are made from. */
export interface Workshop {
  readonly machine: Machine;
  readonly sharing: Sharing;
  pattern(flows: readonly Flow[], paths?: readonly (readonly number[])[]): Pattern;
}

export const workshopOf = (machine: Machine, sharing: Sharing): Workshop => ({
  machine,
  sharing,
  pattern: (flows, paths) => createPattern(machine.fabric, machine.chips, flows, paths),
});

export function lazily<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

export const round = (pattern: Pattern, steps: number, moved: number): Round => ({
  pattern,
  steps,
  bytes: bytes(moved),
});

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
      return gather(heldBytes / length).toReversed();
    case 'all_reduce':
      return [...gather(heldBytes / length).toReversed(), ...gather(heldBytes / length)];
    case 'all_to_all':
      return exchange(heldBytes);
  }
}

/** Seconds that a chip surely takes to send as many bytes to each of the others at once. */
export function leastToSend({ fabric }: Machine, from: number, to: readonly number[], moved: number): number {
  const shares = new Map<number, number>();
  let latest = 0;
  for (const chip of to) {
    let latency = 0;
    for (const link of fabric.route(from, chip)) {
      latency += fabric.links[link]!.latency;
      shares.set(link, (shares.get(link) ?? 0) + 1);
    }
    latest = Math.max(latest, latency);
  }
  let slowest = 0;
  for (const [link, share] of shares) slowest = Math.max(slowest, (share * moved) / fabric.links[link]!.bytesPerSecond);
  // The farthest may be sent over an idle link: latency and transfer need not add up.
  return Math.max(latest, slowest);
}
