/**
 * A pattern: flows that all chips start at once, each a share of the same number of bytes, and what that takes. It is
 * worked out once, on the whole machine, and then scales with the bytes.
 */
import type { Fabric } from '../machine/index.js';
import { bytesPerSecond, seconds } from '../../src/units.js';
import type { PatternEnds } from './ends.js';
import { patternEnds } from './ends.js';
import { maxMinRates } from './max-min.js';
import type { Flow, Pattern, SlowestFlow } from './types.js';

/** Ends that differ by less are one. */
const EQUAL = 1e-9;

/** Seconds per byte until each flow ends; rates are shared anew whenever flows end. */
function endsPerByte(flows: readonly Flow[], paths: readonly (readonly number[])[], capacities: number[]): number[] {
  const ends = flows.map(() => 0);
  const left = flows.map(({ share }) => share);
  let open = flows.flatMap((_, index) => (paths[index]!.length === 0 ? [] : [index]));
  let now = 0;
  while (open.length > 0) {
    const rates = maxMinRates(
      open.map((flow) => paths[flow]!),
      capacities,
    );
    const next = open.reduce((least, flow, index) => Math.min(least, left[flow]! / rates[index]!), Infinity);
    now += next;
    const stillOpen: number[] = [];
    open.forEach((flow, index) => {
      const rest = left[flow]! - rates[index]! * next;
      left[flow] = rest;
      if (rest > EQUAL * flows[flow]!.share) stillOpen.push(flow);
      else ends[flow] = now;
    });
    open = stillOpen;
  }
  return ends;
}

export function createPattern(fabric: Fabric, flows: readonly Flow[]): Pattern {
  const paths = flows.map(({ from, to }) => fabric.route(from, to));
  const endTimes = endsPerByte(
    flows,
    paths,
    fabric.links.map((link) => link.bytesPerSecond),
  );
  const linkShares = new Map<number, number>();
  // Few flows differ, so that the latest is found among few: (latency, seconds per byte).
  const distinct = new Map<string, SlowestFlow>();
  const kindsOfGroup = new Map<number, Set<string>>();
  flows.forEach(({ share, group }, index) => {
    const path = paths[index]!;
    for (const link of path) linkShares.set(link, (linkShares.get(link) ?? 0) + share);
    const latency = path.reduce((total, link) => total + fabric.links[link]!.latency, 0);
    const perByte = endTimes[index]!;
    const kind = `${latency} ${perByte}`;
    if (!distinct.has(kind)) {
      const rate = bytesPerSecond(perByte === 0 ? Infinity : share / perByte);
      distinct.set(kind, { latency: seconds(latency), share, rate });
    }
    kindsOfGroup.set(group, (kindsOfGroup.get(group) ?? new Set()).add(kind));
  });
  const kinds = [...distinct.values()];
  const end = ({ latency, share, rate }: SlowestFlow, bytes: number): number => latency + (bytes * share) / rate;
  const slowest = (bytes: number): SlowestFlow =>
    kinds.reduce((latest, kind) => (end(kind, bytes) > end(latest, bytes) ? kind : latest));
  const groupKinds = new Set([...kindsOfGroup.values()].map((found) => [...found].sort().join()));
  let ends: PatternEnds | undefined;
  return {
    flows,
    paths,
    get ends() {
      return (ends ??= patternEnds(flows, paths, fabric.vertices));
    },
    slowest,
    even: groupKinds.size <= 1,
    linkShares,
  };
}
