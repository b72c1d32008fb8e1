/** The links of slices of a torus, and the shortest ways through them. */
import type { Bandwidth, TorusTopology } from '../../src/hardware/index.js';
import { TORUS_DIMENSIONS } from '../../src/hardware/index.js';
import type { BytesPerSecond, Seconds } from '../../src/units.js';
import type { FabricBuilder } from './fabric-builder.js';
import type { TorusShape } from './torus-shape.js';
import type { Lattice, Link } from './types.js';

/** Chips are numbered row-major: the last dimension varies fastest. */
export const stridesOf = (lengths: readonly number[]): number[] =>
  lengths.map((_, dimension) => lengths.slice(dimension + 1).reduce((product, length) => product * length, 1));

/** Its name is made when it is asked for: there are six a chip. */
class TorusLink implements Link {
  readonly from: number;
  readonly to: number;
  readonly bytesPerSecond: BytesPerSecond;
  readonly latency: Seconds;
  readonly #way: number;

  constructor(from: number, to: number, way: number, rate: Bandwidth, latency: Seconds) {
    this.from = from;
    this.to = to;
    this.#way = way;
    this.bytesPerSecond = rate.achievable;
    this.latency = latency;
  }

  get name(): string {
    return `chip ${this.from} ${this.#way % 2 === 0 ? '+' : '-'}${TORUS_DIMENSIONS[this.#way >> 1]}`;
  }
}

export interface TorusWays {
  /** The links of the way between two chips of one slice, by index. */
  route(from: number, to: number): number[];
  /** Of a twisted torus. */
  readonly lattice?: Lattice;
}

/** The chips of slices, numbered slice after slice. */
export function addTorus(
  builder: FabricBuilder,
  shape: TorusShape,
  slices: number,
  { linkPerDirection, hopLatency }: TorusTopology,
): TorusWays {
  const { lengths, wrapped, shifts } = shape;
  const dimensions = lengths.length;
  const chipsPerSlice = lengths.reduce((product, length) => product * length, 1);
  const strides = stridesOf(lengths);
  const position = (chip: number, dimension: number): number =>
    Math.floor((chip % chipsPerSlice) / strides[dimension]!) % lengths[dimension]!;
  /** The neighbour, or −1 at the end of a line. */
  const neighbour = (chip: number, dimension: number, way: number): number => {
    const [length, at] = [lengths[dimension]!, position(chip, dimension) + way];
    if (at >= 0 && at < length) return chip + way * strides[dimension]!;
    if (length === 1 || wrapped[dimension] !== true) return -1;
    let end = chip + (at < 0 ? length - 1 : 1 - length) * strides[dimension]!;
    shifts[dimension]!.forEach((shift, other) => {
      // Half of a ring: the same both ways.
      const [was, round] = [position(chip, other), lengths[other]!];
      end += (((was + shift) % round) - was) * strides[other]!;
    });
    return end;
  };
  /** Link index by ((chip · dimensions) + dimension) · 2 + (0 up, 1 down); −1 where a line ends. */
  const table = new Int32Array(chipsPerSlice * slices * dimensions * 2).fill(-1);
  /** By the same index: that of the neighbour's first way. */
  const next = new Int32Array(table.length);
  for (let chip = 0; chip < chipsPerSlice * slices; chip++) {
    for (let way = 0; way < dimensions * 2; way++) {
      const to = neighbour(chip, way >> 1, way % 2 === 0 ? 1 : -1);
      if (to < 0) continue;
      table[chip * dimensions * 2 + way] = builder.add(new TorusLink(chip, to, way, linkPerDirection, hopLatency));
      next[chip * dimensions * 2 + way] = to * dimensions * 2;
    }
  }

  const offsets = shape.twisted ? twistedOffsets(shape) : undefined;
  const twisted = (from: number, to: number): readonly number[] => {
    const positions = lengths.map((_, dimension) => position(from, dimension));
    const apart = lengths.map((_, dimension) => position(to, dimension) - positions[dimension]!);
    const ways = offsets!(apart);
    return ways[positions.reduce((total, one) => total + one, 0) % ways.length]!;
  };
  /** Hops along a dimension, below zero downwards. */
  const hopsAlong = (dimension: number, from: number, to: number): number => {
    const start = position(from, dimension);
    const end = position(to, dimension);
    if (start === end || wrapped[dimension] !== true) return end - start;
    const length = lengths[dimension]!;
    const up = (end - start + length) % length;
    const goesUp = up < length - up || (up === length - up && start % 2 === 0);
    return goesUp ? up : up - length;
  };
  // Dimension after dimension; where several ways are as short, chips take them in turn.
  const route = (from: number, to: number): number[] => {
    const path: number[] = [];
    const offset = offsets === undefined ? undefined : twisted(from, to);
    let at = from * dimensions * 2;
    for (let dimension = 0; dimension < dimensions; dimension++) {
      const hops = offset === undefined ? hopsAlong(dimension, from, to) : offset[dimension]!;
      const way = dimension * 2 + (hops > 0 ? 0 : 1);
      for (let hop = Math.abs(hops); hop > 0; hop--) {
        path.push(table[at + way]!);
        at = next[at + way]!;
      }
    }
    return path;
  };
  if (offsets === undefined) return { route };
  const waysTo = (chip: number) => offsets(lengths.map((_, dimension) => position(chip, dimension)));
  return { route, lattice: { dimensions, chips: chipsPerSlice, neighbour, waysTo } };
}

/** Once round no dimension of a shortest way is gone more often. */
const MOST_ROUNDS = 2;

/**
 * A twisted torus looks the same from every chip: two that are as far apart have the same shortest ways. They are found
 * among all that lead there, which differ by rounds of the dimensions.
 */
function twistedOffsets({ lengths, shifts }: TorusShape) {
  const known = new Map<number, readonly (readonly number[])[]>();
  const shortest = (apart: readonly number[]): (readonly number[])[] => {
    let least = Infinity;
    let found: (readonly number[])[] = [];
    const visit = (offset: readonly number[], dimension: number): void => {
      if (dimension === lengths.length) {
        const hops = offset.reduce((total, one) => total + Math.abs(one), 0);
        if (hops < least) [least, found] = [hops, [offset]];
        else if (hops === least) found.push(offset);
        return;
      }
      for (let rounds = -MOST_ROUNDS; rounds <= MOST_ROUNDS; rounds++) {
        visit(
          // A round of this dimension comes out shifted in the others, which is to be made up for.
          offset.map(
            (one, other) => one + rounds * (other === dimension ? lengths[other]! : -shifts[dimension]![other]!),
          ),
          dimension + 1,
        );
      }
    };
    visit(apart, 0);
    return found;
  };
  return (apart: readonly number[]): readonly (readonly number[])[] => {
    // Not reduced by rounds, which may be shifted: from −(length − 1) to length − 1.
    const key = apart.reduce((total, one, dimension) => total * 2 * lengths[dimension]! + one + lengths[dimension]!, 0);
    let ways = known.get(key);
    if (ways === undefined) known.set(key, (ways = shortest(apart)));
    return ways;
  };
}
