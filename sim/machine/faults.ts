/**
 * A machine with slow or dead links and slow chips. What a dead link carried goes round it; a slow link is in use as
 * before, since routing tables know links that are down, not those that are slow.
 */
import { MeshwrightError } from '../../src/errors.js';
import type { HostLane } from '../../src/mesh/index.js';
import { omit } from '../../src/omit.js';
import { nearest } from '../../src/text.js';
import { bytesPerSecond } from '../../src/units.js';
import { shortestWays } from './detour.js';
import type { Fabric, Link, Machine } from './types.js';

/** A direction of a link by its name, in full or as `shortLinkName` has it, or by the vertices it joins: `3-4`. */
export interface LinkFault {
  readonly link: string;
  /** What is left of its bandwidth, above 0 and at most 1; or nothing is. */
  readonly left: number | 'dead';
}

export interface ChipFault {
  readonly chip: number;
  /** How many times as long it computes, at least 1; or it doesn't. */
  readonly slowdown: number | 'dead';
}

export interface Faults {
  readonly links: readonly LinkFault[];
  readonly chips: readonly ChipFault[];
}

/** Without spaces: `chip 0 +x` → `0+x`, `leaf 3 up` → `leaf-3-up`. */
export const shortLinkName = (name: string): string =>
  name
    .replace(/^chip /, '')
    .replace(/ (?=[+-])/g, '')
    .replaceAll(' ', '-');

const invalid = (expected: string, got: string, hint?: string): MeshwrightError =>
  new MeshwrightError('JOB_INVALID', { place: 'fault', expected, got, ...(hint === undefined ? {} : { hint }) });

function linksOf({ links }: Fabric, wanted: string): number[] {
  const [, from, to] = /^(\d+)-(\d+)$/.exec(wanted) ?? [];
  const found = links.flatMap((link, index) => {
    const isIt =
      from === undefined
        ? link.name === wanted || shortLinkName(link.name) === wanted
        : link.from === Number(from) && link.to === Number(to);
    return isIt ? [index] : [];
  });
  if (found.length > 0) return found;
  const names = links.map(({ name }) => shortLinkName(name));
  throw invalid(
    `a link of the machine, such as ${names[0] ?? 'none: it has no links'}`,
    wanted,
    names.length === 0 ? undefined : `did you mean ${nearest(wanted, names)}?`,
  );
}

function faultyFabric(fabric: Fabric, faults: readonly LinkFault[]): Fabric {
  if (faults.length === 0) return fabric;
  const dead = new Set<number>();
  const links: Link[] = [...fabric.links];
  for (const { link: wanted, left } of faults) {
    if (left !== 'dead' && !(left > 0 && left <= 1)) {
      throw invalid('a share of the bandwidth above 0 and at most 1, or dead', `${left} of link ${wanted}`);
    }
    for (const index of linksOf(fabric, wanted)) {
      const { name, from, to, latency, bytesPerSecond: rate } = links[index]!;
      if (left === 'dead') dead.add(index);
      else links[index] = { name, from, to, latency, bytesPerSecond: bytesPerSecond(rate * left) };
    }
  }
  if (dead.size === 0) return { ...omit(fabric, 'withoutHosts'), links };
  const detour = shortestWays(links, fabric.vertices, dead);
  return {
    links,
    vertices: fabric.vertices,
    ...(fabric.hostRoute === undefined ? {} : { hostRoute: aliveHostRoute(fabric.hostRoute, links, dead) }),
    route: (from, to) => {
      const usual = fabric.route(from, to);
      if (!usual.some((link) => dead.has(link))) return usual;
      const way = detour(from, to);
      if (way !== undefined) return way;
      const names = [...dead].map((link) => links[link]!.name).join(', ');
      throw invalid(
        `a way from chip ${from} to chip ${to}, which send to each other`,
        `none, since these links are dead: ${names}`,
        'leave one of them alive, if slow (such as :0.1), or choose a mesh or slice whose chips have another way',
      );
    },
  };
}

/** There is one way to a host. */
const aliveHostRoute =
  (hostRoute: NonNullable<Fabric['hostRoute']>, links: readonly Link[], dead: ReadonlySet<number>) =>
  (chip: number, way: HostLane): readonly number[] => {
    const usual = hostRoute(chip, way);
    const lost = usual.find((link) => dead.has(link));
    if (lost === undefined) return usual;
    throw invalid(
      `a way between chip ${chip} and its host, where its optimizer state is`,
      `none, since this link is dead: ${links[lost]!.name}`,
      'leave it alive, if slow (such as :0.1), or use optimizer-offload=none',
    );
  };

/**
 * @throws MeshwrightError JOB_INVALID of a link or chip that the machine lacks, or a chip that is dead: its rank would
 *   have none; and, when a way is asked for, of chips that dead links cut off
 */
export function withFaults(machine: Machine, { links, chips }: Faults): Machine {
  const chipSlowdown = new Map(machine.chipSlowdown);
  for (const { chip, slowdown } of chips) {
    if (!Number.isInteger(chip) || chip < 0 || chip >= machine.chips) {
      throw invalid(`a chip of 0 to ${machine.chips - 1}, which the machine has`, String(chip));
    }
    if (slowdown === 'dead') {
      throw invalid(
        `all ${machine.chips} chips alive, since each has a rank of the mesh`,
        `chip ${chip} dead`,
        'leave it out: use a mesh of fewer chips, or make the chip slow (such as :10)',
      );
    }
    if (!(slowdown >= 1 && Number.isFinite(slowdown))) {
      throw invalid(`at least 1, how many times as long chip ${chip} takes`, String(slowdown));
    }
    chipSlowdown.set(chip, (chipSlowdown.get(chip) ?? 1) * slowdown);
  }
  for (const [chip, slowdown] of chipSlowdown) if (slowdown === 1) chipSlowdown.delete(chip);
  const faultyLinks = machine.faultyLinks || links.some(({ left }) => left !== 1);
  return { ...machine, chipSlowdown, faultyLinks, fabric: faultyFabric(machine.fabric, links) };
}
