/** A machine: chips, directed links between them, the way between two chips, and where the mesh's axes lie. */
import type { Chip, Hardware, WorkKind } from '../../src/hardware/index.js';
import type { AxisName, HostLane, Mesh } from '../../src/mesh/index.js';
import type { BytesPerSecond, Seconds } from '../../src/units.js';

/** One direction of a physical link, or one direction of a port. */
export interface Link {
  readonly name: string;
  /** Vertices: the chips by their number, then switches and network cards. */
  readonly from: number;
  readonly to: number;
  readonly bytesPerSecond: BytesPerSecond;
  readonly latency: Seconds;
}

/** Links are known by their index in `links`. */
export interface Fabric {
  readonly links: readonly Link[];
  /** Chips, switches and network cards. */
  readonly vertices: number;
  /** The links from one chip to another, in order; none from a chip to itself. */
  route(from: number, to: number): readonly number[];
  /** The links of a chip's data on its way to its host, from it, or within it; absent without links to hosts. */
  hostRoute?(chip: number, way: HostLane): readonly number[];
  /** The same links, by the same numbers, but for those to hosts; absent where it is that itself. */
  readonly withoutHosts?: Fabric;
}

/** See `RankWaits`. */
export interface Waits {
  readonly start: Seconds;
  readonly walk: Seconds;
}

export type StageKind = 'torus' | 'node' | 'network' | 'host';

/**
 * A part of a mesh axis that lies along one thing: a torus dimension, a node, or the network between nodes. An axis is
 * the product of its stages, the first the most significant, and collectives go over them one after the other.
 */
export interface Stage {
  readonly label: string;
  /** What it lies along: a torus dimension, a node's own links, the network between nodes or slices, a host's memory. */
  readonly kind: StageKind;
  /** Whether what joins it can add up what passes through (NVLink SHARP, InfiniBand SHARP). */
  readonly reducesInSwitch: boolean;
  readonly length: number;
  /** Whether a ring over it closes, so that data can go both ways round at once. */
  readonly bidirectional: boolean;
  /** All groups of the machine, each the chips of one ring in its order. */
  readonly groups: readonly (readonly number[])[];
}

/**
 * A twisted torus, which looks the same from every chip, though no part of it does: going on along a dimension leads
 * through others before it leads back.
 */
export interface Lattice {
  readonly dimensions: number;
  /** Of a slice. */
  readonly chips: number;
  /** The chip that is one hop along a dimension. */
  neighbour(chip: number, dimension: number, way: 1 | -1): number;
  /** All shortest ways from a slice's first chip to another one of it: hops along each dimension, below zero downwards. */
  waysTo(chip: number): readonly (readonly number[])[];
}

export interface Machine {
  readonly hardware: Hardware;
  /** The hardware's, its memory bandwidth divided by `memorySlowdown`. */
  readonly chip: Chip;
  /** At least 1: how much longer computing takes because chips share cores. */
  readonly computeSlowdown: number;
  /** At least 1: how much longer matmuls take in a long run, on the slowest of its chips, which all others wait for. */
  readonly matmulSlowdown: number;
  /** At least 1: how much less of its memory bandwidth a chip has, besides, because chips share a host's memory. */
  readonly memorySlowdown: number;
  /** How much longer kinds of work take, besides, with as many ranks as the mesh has; 1 where absent. */
  readonly workSlowdown?: (work: WorkKind) => number;
  /** What chips that should meet wait for the last of them, on the average over all; nothing where absent. */
  readonly waits?: Waits;
  /** Chips that compute slower than the others, each with how many times as long they take; empty unless `withFaults`. */
  readonly chipSlowdown: ReadonlyMap<number, number>;
  /** Whether faults make links slow or dead, so that chips that lie alike no longer do. */
  readonly faultyLinks: boolean;
  readonly mesh: Mesh;
  readonly chips: number;
  /** Lengths of the torus' dimensions; absent elsewhere. */
  readonly slice?: readonly number[];
  /** How many such slices the data-center network joins; absent elsewhere. */
  readonly slices?: number;
  /** Of a torus that is twisted; absent elsewhere. */
  readonly lattice?: Lattice;
  readonly fabric: Fabric;
  readonly stages: ReadonlyMap<AxisName, readonly Stage[]>;
  /** The chip that a rank of the mesh runs on. */
  chipOf(rank: number): number;
}

/** What a topology gives; the rest of a machine is the same for all of them. */
export type Layout = Pick<
  Machine,
  | 'computeSlowdown'
  | 'memorySlowdown'
  | 'workSlowdown'
  | 'waits'
  | 'fabric'
  | 'stages'
  | 'chipOf'
  | 'slice'
  | 'slices'
  | 'lattice'
>;
