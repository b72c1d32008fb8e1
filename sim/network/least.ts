/**
 * What flows surely take, whatever others are on the links beside them: of each link, all that goes over it at its full
 * rate, and then the shortest latency of those that do.
 */
import type { LinkNumbers } from './link-numbers.js';
import type { Paths } from './paths.js';
import type { Bound, Flow, Pattern } from './types.js';

/** Those that are the highest for some number of bytes, or nearly so. */
function highest(bounds: Iterable<Bound>): Bound[] {
  const found: Bound[] = [];
  for (const bound of [...bounds].sort((a, b) => b.latency - a.latency || b.perByte - a.perByte))
    if (found.length === 0 || bound.perByte > found.at(-1)!.perByte) found.push(bound);
  return found;
}

export const joinBounds = (bounds: readonly (readonly Bound[])[]): readonly Bound[] => highest(bounds.flat());

export function boundsOf(
  { capacities, latencies }: LinkNumbers,
  flows: readonly Flow[],
  { starts, links }: Paths,
): readonly Bound[] {
  /** By link: what goes over it, and the shortest latency of it. */
  const loads = new Float64Array(capacities.length);
  const shortest = new Float64Array(capacities.length);
  const used: number[] = [];
  for (let flow = 0; flow < flows.length; flow++) {
    const { share } = flows[flow]!;
    let latency = 0;
    for (let hop = starts[flow]!; hop < starts[flow + 1]!; hop++) latency += latencies[links[hop]!]!;
    for (let hop = starts[flow]!; hop < starts[flow + 1]!; hop++) {
      const link = links[hop]!;
      if (loads[link] === 0) {
        used.push(link);
        shortest[link] = latency;
      } else if (latency < shortest[link]!) shortest[link] = latency;
      loads[link]! += share;
    }
  }
  // By latency the most loaded: few differ.
  const byLatency = new Map<number, number>();
  for (const link of used) {
    const perByte = loads[link]! / capacities[link]!;
    if (perByte > (byLatency.get(shortest[link]!) ?? -1)) byLatency.set(shortest[link]!, perByte);
  }
  return highest([...byLatency].map(([latency, perByte]) => ({ latency, perByte })));
}

/** Seconds that a pattern surely takes. */
export function leastSeconds({ bounds }: Pattern, bytes: number): number {
  let most = 0;
  for (const { latency, perByte } of bounds) most = Math.max(most, latency + bytes * perByte);
  return most;
}
