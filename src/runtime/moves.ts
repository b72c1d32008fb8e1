/** Blocks of tensors, read and written where they lie. */
import type { BlockPlace, ValueType } from '../program/index.js';
import { elementCount } from '../program/index.js';
import { cut, isContiguous, packPart, unpackPart, viewPart } from './blocks.js';
import { Handle } from './handle.js';
import type { Memory } from './memory.js';

/** Where a rank stands as it meets the op. */
export interface Stand {
  /** The axis' size, and the rank's place along it. */
  readonly size: number;
  readonly coordinate: number;
  /** Of the innermost repeat, 0 outside of one. */
  readonly iteration: number;
}

function blockIndex({ offset, stride }: BlockPlace, { size, coordinate, iteration }: Stand): number {
  const index = coordinate + offset + stride * iteration;
  return ((index % size) + size) % size;
}

/**
 * @param type of the whole
 * @param isLast whether the whole is not needed after: then a view would keep all of it for the block's sake
 */
export function take(
  whole: Handle,
  type: ValueType,
  place: BlockPlace,
  stand: Stand,
  isLast: boolean,
  memory: Memory,
): Handle {
  const parts = cut(type.shape, place.dimension, stand.size);
  const index = blockIndex(place, stand);
  if (isContiguous(parts) && !isLast) return Handle.view(whole, viewPart(whole.data, parts, index));
  const block = Handle.allocate(memory, type.dtype, elementCount(type.shape) / stand.size);
  packPart(whole.data, parts, index, block.data);
  return block;
}

/**
 * @param whole what the block is written into, or a copy of it where something else needs it; absent where it is begun
 * @param type of the whole
 * @param isLast whether the whole is not needed after
 * @returns the tensor that has the block
 */
export function put(
  block: Handle,
  whole: Handle | undefined,
  type: ValueType,
  place: BlockPlace,
  stand: Stand,
  isLast: boolean,
  memory: Memory,
): Handle {
  let target = whole;
  if (target === undefined || !isLast || !target.isExclusive) {
    target = Handle.allocate(memory, type.dtype, elementCount(type.shape));
    if (whole !== undefined) target.data.set(whole.data);
  }
  unpackPart(target.data, cut(type.shape, place.dimension, stand.size), blockIndex(place, stand), block.data);
  return target;
}
