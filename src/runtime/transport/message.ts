/**
 * One message on its way through a ring: a list of typed arrays that counts as one run of elements. Each call moves
 * what there is room for and returns at once, so that a rank can send and receive at the same time.
 *
 * Positions in a ring are always multiples of 8, so that elements of 2, 4 and 8 bytes can be read where they lie: a
 * message that ends elsewhere is padded, and only its elements are counted as sent.
 */
import type { DType } from '../../program/index.js';
import { DTYPE_BYTES, DTYPES } from '../../program/index.js';
import type { HostTensor } from '../kernels/tensors.js';
import { dtypeOf, viewOf } from '../kernels/tensors.js';
import type { Add, Copy } from '../sums/index.js';
import { createCopy } from '../sums/index.js';
import { HEADER_BYTES, READ_WORD, SENT_DOUBLE, WRITTEN_WORD } from './memory.js';

/**
 * Most bytes moved before the other side is told: the receiver works on one slice while the next is written. Each side
 * waits for the other less often where they are larger: 44 MB summed over two ranks took a fifth longer with 64 KiB.
 */
const SLICE_BYTES = 2 ** 18;

const CACHE_LINE_WORDS = 16;

/** The ends of one ring. */
export class Channel {
  readonly words: Int32Array;
  readonly capacity: number;
  readonly copy: Copy = createCopy();
  readonly #ring: Int32Array;
  readonly #doubles: Float64Array;
  readonly #views: ReadonlyMap<DType, HostTensor>;

  constructor(memory: SharedArrayBuffer, capacity: number) {
    this.words = new Int32Array(memory, 0, HEADER_BYTES / 4);
    this.#doubles = new Float64Array(memory, 0, HEADER_BYTES / 8);
    this.capacity = capacity;
    this.#ring = new Int32Array(memory, HEADER_BYTES, capacity / 4);
    this.#views = new Map(
      DTYPES.map((dtype) => [dtype, viewOf(dtype, memory, HEADER_BYTES, capacity / DTYPE_BYTES[dtype])]),
    );
  }

  /** The ring's bytes as elements of the kind that `like` has. */
  elements(like: HostTensor): HostTensor {
    return this.#views.get(dtypeOf(like))!;
  }

  /**
   * Writes to each cache line of what was just read, whose data nobody needs any more. A core that writes to lines which
   * another one has only read waits for each of them in turn, but not for those that the other one has changed: on two
   * cores of an EPYC without a common cache the sender's next lap ran at 16 GB/s in place of 2 (with one, 28 in place
   * of 8).
   */
  own(position: number, bytes: number): void {
    const start = (position & (this.capacity - 1)) / 4;
    const ring = this.#ring;
    for (let word = start; word < start + bytes / 4; word += CACHE_LINE_WORDS) ring[word] = 0;
  }

  /** Only the sender writes it, and it is read when nothing runs. */
  countSent(bytes: number): void {
    this.#doubles[SENT_DOUBLE]! += bytes;
  }
}

const paddedBytes = (bytes: number): number => Math.ceil(bytes / 8) * 8;

/** What is added to what arrives. */
export interface Terms {
  /** Each as long as the piece that gets the sum, which it may be. */
  readonly pieces: readonly HostTensor[];
  readonly add: Add;
}

abstract class Message {
  readonly #channel: Channel;
  readonly #pieces: readonly HostTensor[];
  readonly #elementBytes: number;
  #piece = 0;
  #within = 0;
  #remaining: number;

  /** @param pieces arrays of one kind */
  constructor(channel: Channel, pieces: readonly HostTensor[]) {
    this.#channel = channel;
    this.#pieces = pieces;
    this.#elementBytes = pieces[0]?.BYTES_PER_ELEMENT ?? 4;
    this.#remaining = pieces.reduce((total, piece) => total + piece.length, 0);
  }

  get done(): boolean {
    return this.#remaining === 0;
  }

  protected get channel(): Channel {
    return this.#channel;
  }

  /**
   * Moves a part of a piece between it and the ring.
   *
   * @param index of the piece
   * @param at where in the piece the part begins
   */
  protected abstract move(index: number, at: number, part: HostTensor, ring: HostTensor, ringAt: number): void;

  /** Moves at most a slice of `room` bytes (a multiple of 8) at ring position `position`; gives the bytes to advance. */
  protected transfer(position: number, room: number): number {
    const { capacity } = this.#channel;
    const offset = position & (capacity - 1);
    const limit = Math.min(room, SLICE_BYTES, capacity - offset);
    if (limit === 0 || this.#remaining === 0) return 0;
    const count = Math.min(limit / this.#elementBytes, this.#remaining);
    let ringAt = offset / this.#elementBytes;
    for (let left = count; left > 0;) {
      const piece = this.#pieces[this.#piece]!;
      const length = Math.min(left, piece.length - this.#within);
      if (length > 0) {
        const part = length === piece.length ? piece : piece.subarray(this.#within, this.#within + length);
        this.move(this.#piece, this.#within, part, this.#channel.elements(piece), ringAt);
      }
      ringAt += length;
      left -= length;
      this.#within += length;
      if (this.#within === piece.length) {
        this.#piece++;
        this.#within = 0;
      }
    }
    this.#remaining -= count;
    return count * this.#elementBytes;
  }
}

export class Outgoing extends Message {
  /** What the other side has to do. */
  readonly awaits = 'read';
  /** How many messages have to be received before it may go. */
  readonly after: number;

  constructor(channel: Channel, pieces: readonly HostTensor[], after = 0) {
    super(channel, pieces);
    this.after = after;
  }

  protected override move(_index: number, _at: number, part: HostTensor, ring: HostTensor, ringAt: number): void {
    this.channel.copy(ring.subarray(ringAt, ringAt + part.length), part);
  }

  /** Writes what fits. @returns whether anything moved */
  advance(): boolean {
    const { words, capacity } = this.channel;
    const written = Atomics.load(words, WRITTEN_WORD);
    const used = (written - Atomics.load(words, READ_WORD)) >>> 0;
    const sent = this.transfer(written, capacity - used);
    if (sent === 0) return false;
    this.channel.countSent(sent);
    Atomics.store(words, WRITTEN_WORD, (written + paddedBytes(sent)) | 0);
    return true;
  }
}

export class Incoming extends Message {
  readonly awaits = 'send';
  readonly #terms: Terms | undefined;

  /** @param terms what arrives is added to, where it is */
  constructor(channel: Channel, pieces: readonly HostTensor[], terms?: Terms) {
    super(channel, pieces);
    this.#terms = terms;
  }

  protected override move(index: number, at: number, part: HostTensor, ring: HostTensor, ringAt: number): void {
    const { length } = part;
    const arrived = ring.subarray(ringAt, ringAt + length);
    if (this.#terms === undefined) {
      this.channel.copy(part, arrived);
      return;
    }
    const term = this.#terms.pieces[index]!;
    this.#terms.add(part, length === term.length ? term : term.subarray(at, at + length), arrived);
  }

  /** Reads what is there. @returns whether anything moved */
  advance(): boolean {
    const { words } = this.channel;
    const read = Atomics.load(words, READ_WORD);
    const available = (Atomics.load(words, WRITTEN_WORD) - read) >>> 0;
    const received = this.transfer(read, available);
    if (received === 0) return false;
    this.channel.own(read, received);
    Atomics.store(words, READ_WORD, (read + paddedBytes(received)) | 0);
    return true;
  }
}
