import type { Fabric } from '../machine/index.js';

/** Of each link of a fabric: bytes per second, and seconds. */
export interface LinkNumbers {
  readonly capacities: Float64Array;
  readonly latencies: Float64Array;
}

const known = new WeakMap<Fabric, LinkNumbers>();

/** The same for the same fabric. */
export function linkNumbers(fabric: Fabric): LinkNumbers {
  let found = known.get(fabric);
  if (found === undefined) {
    const capacities = Float64Array.from(fabric.links, ({ bytesPerSecond }) => bytesPerSecond);
    const latencies = Float64Array.from(fabric.links, ({ latency }) => latency);
    known.set(fabric, (found = { capacities, latencies }));
  }
  return found;
}
