/**
 * The shared memory that ranks talk through: one control block and one ring of bytes for each ordered pair of ranks
 * that share an axis. The host makes it and gives it to every rank; only the host's side is here.
 */
import { MeshwrightError } from '../../errors.js';
import type { Mesh } from '../../mesh/index.js';
import { groups } from '../../mesh/index.js';
import { bytes } from '../../units.js';
import type { Bytes } from '../../units.js';

/** Words of 4 bytes that keep what two ranks write on cache lines of their own (128 bytes: neighbours are prefetched). */
const LINE_WORDS = 32;

/** In the control block: why everyone has to stop, see `stopAll`. Doorbells follow, two lines a rank. */
export const STOP_WORD = 0;
export const NOT_STOPPED = 0;
const STOPPED_BY_HOST = -1;

/** Counts what changed for `rank`; ranks wait on it. */
export const bellWord = (rank: number): number => LINE_WORDS * (1 + 2 * rank);
/** 1 while `rank` waits, so that whoever rings knows whether somebody has to be woken. */
export const waitingWord = (rank: number): number => LINE_WORDS * (2 + 2 * rank);

/** In a ring's header, as words: bytes written and bytes read, modulo 2³². Bytes sent follow as a double. */
export const WRITTEN_WORD = 0;
export const READ_WORD = LINE_WORDS;
export const SENT_DOUBLE = LINE_WORDS;
export const HEADER_BYTES = LINE_WORDS * 4 * 3;

export interface Ring {
  readonly from: number;
  readonly to: number;
  readonly memory: SharedArrayBuffer;
}

export interface TransportMemory {
  readonly control: SharedArrayBuffer;
  readonly rings: readonly Ring[];
  readonly ringBytes: number;
  /** How often a rank looks again before it sleeps. 0 where ranks outnumber the cores. */
  readonly spins: number;
  /** Whether sums may be formed with SIMD. */
  readonly simd: boolean;
}

export interface TransportOptions {
  /** Capacity of each ring, a power of two of at least 8. */
  readonly ringBytes?: number;
  readonly spins?: number;
  /** False forms sums in plain loops even where there is SIMD, to compare them. */
  readonly simd?: boolean;
}

/** Some slices; larger rings don't stay in a core's cache. */
const DEFAULT_RING_BYTES = 2 ** 20;

export function createTransportMemory(mesh: Mesh, ranks: number, options: TransportOptions = {}): TransportMemory {
  const ringBytes = options.ringBytes ?? DEFAULT_RING_BYTES;
  if (ringBytes < 8 || ringBytes > 2 ** 30 || !Number.isInteger(Math.log2(ringBytes))) {
    throw new MeshwrightError('INTERNAL', {
      place: 'ringBytes',
      expected: 'a power of two from 8 to 2^30',
      got: String(ringBytes),
    });
  }
  const rings = mesh.axes.flatMap(({ name }) =>
    groups(mesh, name).flatMap((members) =>
      members.flatMap((from) =>
        members
          .filter((to) => to !== from)
          .map((to) => ({ from, to, memory: new SharedArrayBuffer(HEADER_BYTES + ringBytes) })),
      ),
    ),
  );
  const control = new SharedArrayBuffer(LINE_WORDS * 4 * (1 + 2 * ranks));
  return { control, rings, ringBytes, spins: options.spins ?? 0, simd: options.simd ?? true };
}

/**
 * Raises the stop flag, if nobody has, and wakes everyone who waits.
 *
 * @param rank the one that failed; absent when the host wants the ranks to stop
 */
export function stopAll(control: SharedArrayBuffer, rank?: number): void {
  const words = new Int32Array(control);
  Atomics.compareExchange(words, STOP_WORD, NOT_STOPPED, rank === undefined ? STOPPED_BY_HOST : rank + 1);
  for (let word = bellWord(0); word < words.length; word += 2 * LINE_WORDS) {
    Atomics.add(words, word, 1);
    Atomics.notify(words, word);
  }
}

/** Who raised the stop flag, if anyone: a rank or the host. */
export function stoppedBy(control: SharedArrayBuffer): number | 'host' | undefined {
  const word = Atomics.load(new Int32Array(control), STOP_WORD);
  if (word === NOT_STOPPED) return undefined;
  return word === STOPPED_BY_HOST ? 'host' : word - 1;
}

export interface ChannelTraffic {
  readonly from: number;
  readonly to: number;
  readonly sent: Bytes;
}

/** Bytes of values sent through each ring since it was made. Exact while no rank is sending. */
export const traffic = (memory: TransportMemory): ChannelTraffic[] =>
  memory.rings.map(({ from, to, memory: ring }) => ({
    from,
    to,
    sent: bytes(new Float64Array(ring, 0, HEADER_BYTES / 8)[SENT_DOUBLE]!),
  }));
