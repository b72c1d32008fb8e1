/**
 * What flows surely take, whatever others are on the links beside them: of each link, all that goes over it at its full
 * rate, and then the shortest latency of those that do.
 */
import type { Fabric } from '../machine/index.js';
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
  { links }: Fabric,
  flows: readonly Flow[],
  paths: readonly (readonly number[])[],
): readonly Bound[] {
  const loads = new Map<number, { share: number; latency: number }>();
  flows.forEach(({ share }, flow) => {
    const path = paths[flow]!;
    let latency = 0;
    for (const link of path) latency += links[link]!.latency;
    for (const link of path) {
      const load = loads.get(link);
      if (load === undefined) loads.set(link, { share, latency });
      else {
        load.share += share;
        load.latency = Math.min(load.latency, latency);
      }
    }
  });
  // By latency the most loaded: few differ.
  const byLatency = new Map<number, number>();
  for (const [link, { share, latency }] of loads) {
    const perByte = share / links[link]!.bytesPerSecond;
    if (perByte > (byLatency.get(latency) ?? -1)) byLatency.set(latency, perByte);
  }
  return highest([...byLatency].map(([latency, perByte]) => ({ latency, perByte })));
}

/** Seconds that a pattern surely takes. */
export function leastSeconds({ bounds }: Pattern, bytes: number): number {
  let most = 0;
  for (const { latency, perByte } of bounds) most = Math.max(most, latency + bytes * perByte);
  return most;
}
