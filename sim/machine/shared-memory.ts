/** One host whose chips are threads: they take turns on its cores, and copy to each other through its memory. */
import type { Chip, SharedMemoryTopology, WorkKind } from '../../src/hardware/index.js';
import type { Mesh } from '../../src/mesh/index.js';
import { rankCount } from '../../src/mesh/index.js';
import { bytesPerSecond, seconds } from '../../src/units.js';
import type { BytesPerSecond, Seconds } from '../../src/units.js';
import { FabricBuilder } from './fabric-builder.js';
import { nodeStages } from './node-stages.js';
import type { Layout, Waits } from './types.js';

/** A byte that is copied is read and written, and memory bandwidth counts both. */
const READ_AND_WRITTEN = 2;

/**
 * What was measured at some numbers of ranks, at another: straight between two of them; below the fewest, as with those;
 * beyond the most, as `beyond` says from there.
 */
function atRanks<T extends { readonly ranks: number }>(
  points: readonly T[],
  ranks: number,
  valueOf: (point: T) => number,
  beyond: (value: number, by: number) => number,
): number {
  const sorted = points.toSorted((a, b) => a.ranks - b.ranks);
  const index = sorted.findIndex((point) => point.ranks >= ranks);
  if (index < 0) return beyond(valueOf(sorted.at(-1)!), ranks / sorted.at(-1)!.ranks);
  const upper = sorted[index]!;
  if (index === 0 || upper.ranks === ranks) return valueOf(upper);
  const lower = sorted[index - 1]!;
  const way = (ranks - lower.ranks) / (upper.ranks - lower.ranks);
  return valueOf(lower) + way * (valueOf(upper) - valueOf(lower));
}

interface Slowdowns {
  readonly computeSlowdown: number;
  readonly memorySlowdown: number;
  readonly workSlowdown?: (work: WorkKind) => number;
}

/** As ranks were measured to slow each other; beyond the most that were, they take turns. */
function measuredSlowdowns(contention: NonNullable<SharedMemoryTopology['contention']>, ranks: number): Slowdowns {
  const slowdown = (work: WorkKind): number => {
    const own = contention.filter((point) => point.work === work);
    const points = own.length > 0 ? own : contention.filter((point) => point.work === undefined);
    const alone = { ranks: 1, factor: 1 };
    return atRanks(
      points.some((point) => point.ranks === 1) ? points : [alone, ...points],
      ranks,
      ({ factor }) => factor,
      (factor, by) => factor * by,
    );
  };
  const known = new Map<WorkKind, number>();
  return {
    computeSlowdown: 1,
    memorySlowdown: 1,
    workSlowdown: (work) => {
      const found = known.get(work) ?? slowdown(work);
      known.set(work, found);
      return found;
    },
  };
}

/** More than one core at work slows each, more threads than cores take turns, and all share the host's memory. */
function slowdownsOf(topology: SharedMemoryTopology, chip: Chip, ranks: number): Slowdowns {
  const { cores, busyCoreRateFraction, hostMemory, contention } = topology;
  if (contention !== undefined) return measuredSlowdowns(contention, ranks);
  const atWork = Math.min(ranks, cores);
  const busyRate = 1 - (1 - busyCoreRateFraction) * (cores === 1 ? 0 : (atWork - 1) / (cores - 1));
  // What the cores at work would read and write, slowed as they are anyway.
  const wanted = atWork * busyRate * chip.memoryBandwidth.achievable;
  return {
    computeSlowdown: turnsOf(topology, ranks) / busyRate,
    memorySlowdown: Math.max(1, wanted / hostMemory.achievable),
  };
}

const turnsOf = ({ cores }: SharedMemoryTopology, ranks: number): number => Math.max(1, ranks / cores);

interface Copies {
  readonly rate: BytesPerSecond;
  readonly latency: Seconds;
  /** What all ranks together can copy. */
  readonly shared: BytesPerSecond;
}

function copiesOf(topology: SharedMemoryTopology, ranks: number): Copies {
  const { transferPerChip, messageLatency, hostMemory, transfers } = topology;
  if (transfers === undefined) {
    return {
      rate: bytesPerSecond(transferPerChip.achievable / turnsOf(topology, ranks)),
      latency: messageLatency,
      shared: bytesPerSecond(hostMemory.achievable / READ_AND_WRITTEN),
    };
  }
  // As time for a byte, which is what adds up.
  const perByte = atRanks(
    transfers,
    ranks,
    ({ bandwidth }) => 1 / bandwidth,
    (time, by) => time * by,
  );
  const latency = atRanks(
    transfers,
    ranks,
    (point) => point.latency,
    (value) => value,
  );
  // With all ranks at it when they were measured: what they share is in their rates.
  return { rate: bytesPerSecond(1 / perByte), latency: seconds(latency), shared: bytesPerSecond(ranks / perByte) };
}

/** Beyond the most ranks that were measured they take turns, and wait for as many more. */
function waitsOf({ waits }: SharedMemoryTopology, ranks: number): Waits | undefined {
  if (waits === undefined || ranks === 1) return undefined;
  const longer = (value: number, by: number): number => value * by;
  return {
    start: seconds(atRanks(waits, ranks, ({ start }) => start, longer)),
    walk: seconds(atRanks(waits, ranks, ({ walk }) => walk, longer)),
  };
}

export function sharedMemoryLayout(topology: SharedMemoryTopology, chip: Chip, mesh: Mesh): Layout {
  const chips = rankCount(mesh);
  const { rate, latency, shared: memory } = copiesOf(topology, chips);
  const waits = waitsOf(topology, chips);
  const builder = new FabricBuilder(chips);
  const [written, readable] = [builder.vertex(), builder.vertex()];
  for (let rank = 0; rank < chips; rank++) {
    builder.link(`chip ${rank} sends`, rank, written, rate, latency);
    builder.link(`chip ${rank} receives`, readable, rank, rate);
  }
  const shared = builder.link('host memory', written, readable, memory);
  return {
    ...slowdownsOf(topology, chip, chips),
    ...(waits === undefined ? {} : { waits }),
    fabric: {
      links: builder.links,
      vertices: builder.vertices,
      route: (from, to) => (from === to ? [] : [2 * from, shared, 2 * to + 1]),
    },
    stages: nodeStages(mesh, { chipsPerNode: chips, inNode: 'host', nodeReduces: false, networkReduces: false }),
    chipOf: (rank) => rank,
  };
}
