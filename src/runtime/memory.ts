/**
 * Where a rank's tensors lie: blocks of the system's memory, dealt out and taken back at once. The garbage collector
 * would come by late, as tensors are large and what holds them is small; and what a tensor library takes and gives back
 * meanwhile would be laid between them, so that neither fits where the other was.
 */
import { MessageChannel } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import type { DType } from '../program/index.js';
import { DTYPE_BYTES } from '../program/index.js';
import type { HostTensor } from './kernels/tensors.js';
import { viewOf } from './kernels/tensors.js';

/** Taken from the system at a time, at least. Pages that were never written to are not resident. */
const BLOCK_BYTES = 2 ** 30;
/** Every tensor begins at a multiple of it, which every element's size divides. */
const ALIGNMENT_BYTES = 64;
/**
 * glibc gives large blocks at 16 bytes after a multiple of `ALIGNMENT_BYTES`: with these before it the first tensor lies
 * at one. libtensorflow computes on tensors there where they are, and copies others.
 */
const LEAD_BYTES = 48;

interface Range {
  start: number;
  end: number;
}

/** A block of memory and its free ranges, in order and apart. */
class Block {
  readonly buffer: ArrayBufferLike;
  readonly #free: Range[];

  constructor(size: number) {
    // Not zeroed: that would make all of it resident.
    this.buffer = Buffer.allocUnsafeSlow(LEAD_BYTES + size).buffer;
    this.#free = [{ start: LEAD_BYTES, end: LEAD_BYTES + size }];
  }

  /** @returns where the smallest range that has room begins, if there is one */
  take(size: number): number | undefined {
    let best: Range | undefined;
    for (const range of this.#free) {
      const room = range.end - range.start;
      if (room >= size && (best === undefined || room < best.end - best.start)) best = range;
    }
    if (best === undefined) return undefined;
    const { start } = best;
    best.start += size;
    if (best.start === best.end) this.#free.splice(this.#free.indexOf(best), 1);
    return start;
  }

  giveBack(start: number, size: number): void {
    const free = this.#free;
    const end = start + size;
    let index = free.findIndex((range) => range.start >= end);
    if (index < 0) index = free.length;
    const [before, after] = [free[index - 1], free[index]];
    const joinsBefore = before?.end === start;
    const joinsAfter = after?.start === end;
    if (joinsBefore && joinsAfter) {
      before.end = after.end;
      free.splice(index, 1);
    } else if (joinsBefore) before.end = end;
    else if (joinsAfter) after.start = start;
    else free.splice(index, 0, { start, end });
  }
}

const aligned = (bytes: number): number => Math.ceil(bytes / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;

export class Memory {
  readonly #blocks = new Map<ArrayBufferLike, Block>();
  readonly #closed: MessagePort;

  constructor() {
    // A message to a closed port is dropped, and the arrays that were transferred with it are freed. Nothing else frees
    // an array at a given moment on every Node that is supported.
    this.#closed = new MessageChannel().port1;
    this.#closed.close();
  }

  /** A tensor whose elements are yet to be written. It lies beside others, so that its buffer must not be passed on. */
  allocate(dtype: DType, length: number): HostTensor {
    const size = aligned(length * DTYPE_BYTES[dtype]);
    for (const block of this.#blocks.values()) {
      const start = block.take(size);
      if (start !== undefined) return viewOf(dtype, block.buffer, start, length);
    }
    const block = new Block(Math.max(size, BLOCK_BYTES));
    this.#blocks.set(block.buffer, block);
    return viewOf(dtype, block.buffer, block.take(size)!, length);
  }

  /** Ends a tensor, which came from `allocate` or has a buffer to itself. */
  free({ buffer, byteOffset, byteLength }: HostTensor): void {
    const block = this.#blocks.get(buffer);
    if (block !== undefined) block.giveBack(byteOffset, aligned(byteLength));
    else if (!(buffer instanceof SharedArrayBuffer)) this.#closed.postMessage(undefined, [buffer]);
  }
}
