/** One host whose chips are threads: they take turns on its cores, and copy to each other through its memory. */
import type { Chip, SharedMemoryTopology } from '../../src/hardware/index.js';
import type { Mesh } from '../../src/mesh/index.js';
import { rankCount } from '../../src/mesh/index.js';
import { bytesPerSecond } from '../../src/units.js';
import { FabricBuilder } from './fabric-builder.js';
import { nodeStages } from './node-stages.js';
import type { Layout } from './types.js';

/** A byte that is copied is read and written, and memory bandwidth counts both. */
const READ_AND_WRITTEN = 2;

/** More than one core at work slows each, more threads than cores take turns, and all share the host's memory. */
export function sharedMemoryLayout(topology: SharedMemoryTopology, chip: Chip, mesh: Mesh): Layout {
  const { cores, busyCoreRateFraction, transferPerChip, messageLatency, hostMemory } = topology;
  const chips = rankCount(mesh);
  const atWork = Math.min(chips, cores);
  const turns = Math.max(1, chips / cores);
  const busyRate = 1 - (1 - busyCoreRateFraction) * (cores === 1 ? 0 : (atWork - 1) / (cores - 1));
  // What the cores at work would read and write, slowed as they are anyway.
  const wanted = atWork * busyRate * chip.memoryBandwidth.achievable;

  const builder = new FabricBuilder(chips);
  const rate = bytesPerSecond(transferPerChip.achievable / turns);
  const [written, readable] = [builder.vertex(), builder.vertex()];
  for (let rank = 0; rank < chips; rank++) {
    builder.link(`chip ${rank} sends`, rank, written, rate, messageLatency);
    builder.link(`chip ${rank} receives`, readable, rank, rate);
  }
  const memory = bytesPerSecond(hostMemory.achievable / READ_AND_WRITTEN);
  const shared = builder.link('host memory', written, readable, memory);
  return {
    computeSlowdown: turns / busyRate,
    memorySlowdown: Math.max(1, wanted / hostMemory.achievable),
    fabric: {
      links: builder.links,
      vertices: builder.vertices,
      route: (from, to) => (from === to ? [] : [2 * from, shared, 2 * to + 1]),
    },
    stages: nodeStages(mesh, { chipsPerNode: chips, inNode: 'host', nodeReduces: false, networkReduces: false }),
    chipOf: (rank) => rank,
  };
}
