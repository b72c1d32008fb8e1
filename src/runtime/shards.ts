/**
 * Whole tensors and the ranks' parts of them: cutting a shard out, and putting a whole together again. What goes where
 * is `shardRanges`' to say.
 */
import type { Mesh, Range, Segments } from '../mesh/index.js';
import { coordinate, globalShape, rankCount, shardRanges, stateOf } from '../mesh/index.js';
import type { ValueType } from '../program/index.js';
import { elementCount } from '../program/index.js';
import { allocateLike } from './blocks.js';
import type { HostTensor } from './kernels/tensors.js';
import { allocateNumbers, dtypeOf, numbersOf, stored } from './kernels/tensors.js';

/** A run of elements that is whole both in the whole tensor and in the shard, in row-major order. */
export interface Run {
  readonly wholeStart: number;
  readonly shardStart: number;
  readonly length: number;
}

/**
 * The runs that `rank`'s shard consists of, in the shard's order.
 *
 * @param type of the shard
 */
export function* shardRuns(mesh: Mesh, rank: number, type: ValueType, segments?: Segments): Generator<Run> {
  const whole = globalShape(mesh, type.shape, type.states);
  const ranges = shardRanges(mesh, rank, whole, type.states, segments);
  // Dimensions after the last one that is cut lie in one piece.
  const isWhole = (dimension: number): boolean =>
    ranges[dimension]!.reduce((total, { length }) => total + length, 0) === whole[dimension];
  const cutDimension = Math.max(
    0,
    whole.findLastIndex((_, dimension) => !isWhole(dimension)),
  );
  if (whole.length === 0) {
    yield { wholeStart: 0, shardStart: 0, length: 1 };
    return;
  }
  const inner = elementCount(whole.slice(cutDimension + 1));
  let shardStart = 0;
  function* walk(dimension: number, offset: number): Generator<Run> {
    const size = whole[dimension]!;
    for (const range of ranges[dimension]!) {
      if (dimension === cutDimension) {
        const length = range.length * inner;
        yield { wholeStart: (offset * size + range.start) * inner, shardStart, length };
        shardStart += length;
      } else yield* walkRange(dimension, offset * size, range);
    }
  }
  function* walkRange(dimension: number, offset: number, { start, length }: Range): Generator<Run> {
    for (let index = start; index < start + length; index++) yield* walk(dimension + 1, offset + index);
  }
  yield* walk(0, 0);
}

/**
 * `rank`'s part of a whole tensor; a copy.
 *
 * @param type of the shard; partial values can't be cut
 */
export function cutShard(
  mesh: Mesh,
  rank: number,
  whole: HostTensor,
  type: ValueType,
  segments?: Segments,
): HostTensor {
  const shard = allocateLike(whole, elementCount(type.shape));
  for (const { wholeStart, shardStart, length } of shardRuns(mesh, rank, type, segments)) {
    shard.set(whole.subarray(wholeStart, wholeStart + length), shardStart);
  }
  return shard;
}

/** Ranks that have a value between them, each part of it once: of an axis that it is replicated over the first rank. */
export const holders = (mesh: Mesh, { states }: ValueType): number[] =>
  Array.from({ length: rankCount(mesh) }, (_, rank) => rank).filter((rank) =>
    mesh.axes.every(({ name }) => stateOf(states, name) !== 'replicated' || coordinate(mesh, rank, name) === 0),
  );

/**
 * The whole tensor from its holders' shards, bit by bit.
 *
 * @param shards one for each of `holders`, in their order; partial values can't be joined
 * @param type of each shard
 */
export function joinShards(
  mesh: Mesh,
  shards: readonly HostTensor[],
  type: ValueType,
  segments?: Segments,
): HostTensor {
  const whole = allocateLike(shards[0]!, elementCount(globalShape(mesh, type.shape, type.states)));
  for (const [index, rank] of holders(mesh, type).entries()) {
    for (const { wholeStart, shardStart, length } of shardRuns(mesh, rank, type, segments))
      whole.set(shards[index]!.subarray(shardStart, shardStart + length), wholeStart);
  }
  return whole;
}

/**
 * The whole tensor from all ranks' shards. Where the value is replicated over an axis the first rank's copy is taken;
 * where it is partial the terms are added, in the order of the ranks.
 *
 * @param shards one a rank
 * @param type of each shard
 */
export function assembleGlobal(
  mesh: Mesh,
  shards: readonly HostTensor[],
  type: ValueType,
  segments?: Segments,
): HostTensor {
  const dtype = dtypeOf(shards[0]!);
  const whole = allocateNumbers(dtype, elementCount(globalShape(mesh, type.shape, type.states)));
  for (const rank of holders(mesh, type)) {
    const shard = numbersOf(shards[rank]!);
    for (const { wholeStart, shardStart, length } of shardRuns(mesh, rank, type, segments)) {
      for (let i = 0; i < length; i++) whole[wholeStart + i]! += shard[shardStart + i]!;
    }
  }
  return stored(dtype, whole);
}
