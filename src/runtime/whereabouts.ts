/**
 * What each rank is at, written by the ranks as they go and read by whoever watches them: in shared memory for the
 * watchdog, and kernel by kernel in a file as well, which outlives a process that a tensor library has ended.
 */
import { readSync, writeSync } from 'node:fs';

/** `kernel`: inside a tensor library. `works`: anything else that is a rank's own. `waits`: for another rank. */
export type Doing = 'idle' | 'works' | 'kernel' | 'waits';
const DOINGS: readonly Doing[] = ['idle', 'works', 'kernel', 'waits'];

export interface Whereabouts {
  readonly rank: number;
  readonly doing: Doing;
  /** The op, `encoder/gelu+5@1.3` as spans name it, or what else. */
  readonly what: string;
  /** Of a rank that waits: whom for, and what they have to do. */
  readonly awaited: string;
  /** Changes whenever it gets on. */
  readonly beat: number;
  /** How long what it does is expected to take at most. */
  readonly expectedSeconds: number;
  /** Whether that is what it has taken before, else it is a guess. */
  readonly isKnown: boolean;
}

/** What loading a tensor library, compiling a kernel or drawing a parameter may take: a minute says that it hangs. */
export const PREPARING_SECONDS = 60;

/** A slot a rank: four words, the expected seconds as a double, then `what`, a line break, and `awaited`. */
const SLOT_BYTES = 512;
const DOING_WORD = 0;
const BEAT_WORD = 1;
const KNOWN_WORD = 2;
const LENGTH_WORD = 3;
const EXPECTED_DOUBLE = 2;
const TEXT_BYTE = 24;
const TEXT_BYTES = SLOT_BYTES - TEXT_BYTE;

/** All ranks are starting. */
export function createWhereabouts(ranks: number): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(SLOT_BYTES * ranks);
  for (let rank = 0; rank < ranks; rank++) new Diary(memory, rank).works('its start', PREPARING_SECONDS);
  return memory;
}

/** A rank's own slot. */
export class Diary {
  readonly #words: Int32Array;
  readonly #doubles: Float64Array;
  readonly #text: Buffer;
  readonly #slot: Buffer;
  readonly #at: number;
  readonly #file: number | undefined;

  /** @param file a descriptor, open for writing, whose file is this rank's alone but for the other ranks' slots */
  constructor(memory: SharedArrayBuffer, rank: number, file?: number) {
    this.#at = SLOT_BYTES * rank;
    this.#words = new Int32Array(memory, this.#at, LENGTH_WORD + 1);
    this.#doubles = new Float64Array(memory, this.#at, EXPECTED_DOUBLE + 1);
    this.#slot = Buffer.from(memory, this.#at, SLOT_BYTES);
    this.#text = Buffer.from(memory, this.#at + TEXT_BYTE, TEXT_BYTES);
    this.#file = file;
  }

  idle(): void {
    this.#write(0, '', 0, false);
    this.#save();
  }

  /** @param expectedSeconds beyond what anything may take */
  works(what: string, expectedSeconds = 0): void {
    this.#write(1, what, expectedSeconds, false);
  }

  /** @param isKnown whether it has taken that long before */
  kernel(what: string, expectedSeconds: number, isKnown: boolean): void {
    this.#write(2, what, expectedSeconds, isKnown);
    this.#save();
  }

  /** No progress: a rank that looks again and again for what it waits for does not get on. */
  waits({ opId, awaited }: { readonly opId: string; readonly awaited: string }): void {
    this.#write(3, `${opId}\n${awaited}`, 0, false, 0);
  }

  /** It gets on with what it was at. */
  goesOn(): void {
    Atomics.store(this.#words, DOING_WORD, 1);
    Atomics.add(this.#words, BEAT_WORD, 1);
  }

  /** Messages move beside what it is at. */
  moves(): void {
    Atomics.add(this.#words, BEAT_WORD, 1);
  }

  #write(doing: number, text: string, expectedSeconds: number, isKnown: boolean, beats = 1): void {
    this.#words[LENGTH_WORD] = this.#text.write(text, 0, 'latin1');
    this.#words[KNOWN_WORD] = isKnown ? 1 : 0;
    this.#doubles[EXPECTED_DOUBLE] = expectedSeconds;
    Atomics.store(this.#words, DOING_WORD, doing);
    Atomics.add(this.#words, BEAT_WORD, beats);
  }

  #save(): void {
    if (this.#file === undefined) return;
    writeSync(this.#file, this.#slot, 0, TEXT_BYTE + this.#words[LENGTH_WORD]!, this.#at);
  }
}

function readSlot(memory: ArrayBufferLike, rank: number, offset: number): Whereabouts {
  const words = new Int32Array(memory, offset, LENGTH_WORD + 1);
  const doubles = new Float64Array(memory, offset, EXPECTED_DOUBLE + 1);
  const length = Math.min(words[LENGTH_WORD]!, TEXT_BYTES);
  const [what = '', awaited = ''] = Buffer.from(memory, offset + TEXT_BYTE, length)
    .toString('latin1')
    .split('\n');
  return {
    rank,
    doing: DOINGS[Atomics.load(words, DOING_WORD)] ?? 'works',
    what,
    awaited,
    beat: Atomics.load(words, BEAT_WORD),
    expectedSeconds: doubles[EXPECTED_DOUBLE]!,
    isKnown: words[KNOWN_WORD] === 1,
  };
}

/** By rank. */
export const readWhereabouts = (memory: SharedArrayBuffer): Whereabouts[] =>
  Array.from({ length: memory.byteLength / SLOT_BYTES }, (_, rank) => readSlot(memory, rank, rank * SLOT_BYTES));

/** What ranks were at when their process ended, by what they have written to `file`. */
export function lastWhereabouts(file: number): Whereabouts[] {
  const found: Whereabouts[] = [];
  for (;;) {
    const slot = Buffer.alloc(SLOT_BYTES);
    const read = readSync(file, slot, 0, SLOT_BYTES, found.length * SLOT_BYTES);
    if (read < TEXT_BYTE) return found;
    found.push(readSlot(slot.buffer, found.length, slot.byteOffset));
  }
}
