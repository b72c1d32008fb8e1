/**
 * Links between chips and their hosts, and what a host's memory reads and writes, which all that goes over them shares
 * with the host's own work. Only machines whose plans use them have them.
 */
import type { Host } from '../../src/hardware/index.js';
import type { HostLane } from '../../src/mesh/index.js';
import type { BytesPerSecond } from '../../src/units.js';
import { FabricBuilder } from './fabric-builder.js';
import type { Fabric } from './types.js';

interface ChipLinks {
  readonly to: number;
  readonly from: number;
  /** Absent where it never is the bottleneck. */
  readonly memory: number | undefined;
}

const known = new WeakMap<Fabric, WeakMap<Host, Fabric>>();

/** The fabric with them; its own links and vertices keep their numbers. The same for the same fabric and host. */
export function withHostLinks(fabric: Fabric, chips: number, host: Host): Fabric {
  let byHost = known.get(fabric);
  if (byHost === undefined) known.set(fabric, (byHost = new WeakMap()));
  let found = byHost.get(host);
  if (found === undefined) byHost.set(host, (found = joinHosts(fabric, chips, host)));
  return found;
}

function joinHosts(fabric: Fabric, chips: number, host: Host): Fabric {
  const builder = FabricBuilder.from(fabric);
  const rate = host.linkPerDirection.achievable;
  const links: ChipLinks[] = [];
  for (let first = 0; first < chips; first += host.chips) {
    const vertex = builder.vertex();
    const memoryRate: BytesPerSecond | undefined = host.memoryBandwidth?.achievable;
    const memory =
      memoryRate === undefined
        ? undefined
        : builder.link(`memory of host ${first / host.chips}`, vertex, vertex, memoryRate);
    for (let chip = first; chip < Math.min(first + host.chips, chips); chip++) {
      links.push({
        to: builder.link(`chip ${chip} to host`, chip, vertex, rate, host.linkLatency),
        from: builder.link(`chip ${chip} from host`, vertex, chip, rate, host.linkLatency),
        memory,
      });
    }
  }
  return {
    links: builder.links,
    vertices: builder.vertices,
    withoutHosts: fabric,
    route: (from, to) => fabric.route(from, to),
    hostRoute: (chip, way: HostLane) => {
      const { to, from, memory } = links[chip]!;
      const through = memory === undefined ? [] : [memory];
      return way === 'to-host' ? [to, ...through] : way === 'from-host' ? [...through, from] : through;
    },
  };
}
