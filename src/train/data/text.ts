/** A text as bytes: read, split into what is trained on and what is held out, and cut into sequences. */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { notUtf8 } from '../../encoding.js';
import { MeshwrightError } from '../../errors.js';
import { reasonOf } from '../../reason.js';
import { bytes, formatBytes } from '../../units.js';
import { namesIn } from './names.js';

export interface SplitText {
  readonly train: Uint8Array;
  /** The end of the text: a whole number of sequences, and one byte more, the last one's target. */
  readonly heldOut: Uint8Array;
}

/** Held in memory, and of one file Node.js reads no more at once. */
const MOST_BYTES = 2 ** 31 - 1;

const HELD_OUT_SHARE = 0.05;
const FEWEST_HELD_OUT = 4;
/** More would make the evaluation longer and hardly surer. */
const MOST_HELD_OUT = 512;

async function filesOf(path: string): Promise<{ readonly path: string; readonly length: number }[]> {
  const expected = 'a text file, or a folder of them';
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile()) return [{ path, length: found.size }];
  if (found?.isDirectory() !== true) {
    const got = found === undefined ? 'nothing there' : 'neither a file nor a folder';
    throw new MeshwrightError('DATA_NOT_FOUND', { place: path, expected, got });
  }
  const paths = (await namesIn(path, 'file')).map((name) => join(path, name));
  if (paths.length === 0)
    throw new MeshwrightError('DATA_NOT_FOUND', { place: path, expected, got: 'a folder without files' });
  return Promise.all(paths.map(async (file) => ({ path: file, length: (await stat(file)).size })));
}

/**
 * Any bytes could be tokens; those of a picture among the texts, or of another encoding, are not what was meant.
 *
 * @throws MeshwrightError DATA_INVALID
 */
function requireText(text: Uint8Array, path: string): void {
  const got = notUtf8(text);
  if (got === undefined) return;
  throw new MeshwrightError('DATA_INVALID', {
    place: path,
    expected: 'text in UTF-8',
    got,
    hint: 'convert it, with iconv for example, or take it out of the folder',
  });
}

/**
 * The bytes of a file, or of a folder's files in code unit order of their names, one after the other. Folders in it and
 * hidden files are passed over.
 *
 * @throws MeshwrightError DATA_NOT_FOUND where there is none or it can't be read, DATA_INVALID of what is no text, JOB_INVALID where it is too long
 */
export async function readText(path: string): Promise<Uint8Array> {
  const files = await filesOf(path);
  const length = files.reduce((total, file) => total + file.length, 0);
  if (length > MOST_BYTES) {
    throw new MeshwrightError('JOB_INVALID', {
      place: 'training.text',
      expected: `at most ${formatBytes(bytes(MOST_BYTES))}, which are held in memory`,
      got: `${path} with ${formatBytes(bytes(length))}`,
    });
  }
  const parts: Uint8Array[] = [];
  for (const file of files) {
    try {
      const part = await readFile(file.path);
      requireText(part, file.path);
      parts.push(part);
    } catch (error) {
      if (error instanceof MeshwrightError) throw error;
      throw new MeshwrightError('DATA_NOT_FOUND', {
        place: file.path,
        expected: 'a file that can be read',
        got: reasonOf(error),
      });
    }
  }
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
}

/** Sequences of `sequence` bytes, each with the byte after it as its last target, that do not overlap. */
export const sequenceCount = (text: Uint8Array, sequence: number): number =>
  Math.max(0, Math.floor((text.length - 1) / sequence));

/**
 * Holds out the last twentieth, of at least 4 and at most 512 sequences.
 *
 * @param path for the message
 * @throws MeshwrightError DATA_TOO_SHORT where none would be left to train on
 */
export function splitText(text: Uint8Array, sequence: number, path: string): SplitText {
  const all = sequenceCount(text, sequence);
  if (all <= FEWEST_HELD_OUT) {
    throw new MeshwrightError('DATA_TOO_SHORT', {
      place: path,
      expected: `at least ${(FEWEST_HELD_OUT + 1) * sequence + 1} bytes: ${FEWEST_HELD_OUT} sequences of ${sequence} to hold out, one to train on, and the byte after them`,
      got: String(text.length),
    });
  }
  const heldOut = Math.min(MOST_HELD_OUT, Math.max(FEWEST_HELD_OUT, Math.round(HELD_OUT_SHARE * all)));
  const end = text.length - (heldOut * sequence + 1);
  // The byte they share is never predicted in what is held out.
  return { train: text.subarray(0, end + 1), heldOut: text.subarray(end) };
}

/** The sequences that begin at `starts`, and for each of their bytes the one after it: both [B,S]. */
export function sequencesAt(
  text: Uint8Array,
  starts: readonly number[],
  sequence: number,
): Readonly<Record<'tokens' | 'targets', Int32Array>> {
  const tokens = new Int32Array(starts.length * sequence);
  const targets = new Int32Array(starts.length * sequence);
  for (const [row, start] of starts.entries()) {
    tokens.set(text.subarray(start, start + sequence), row * sequence);
    targets.set(text.subarray(start + 1, start + 1 + sequence), row * sequence);
  }
  return { tokens, targets };
}

/** −Σ p·ln p of single bytes, in nats: the cross-entropy of knowing their frequencies and nothing else. */
export function byteEntropy(text: Uint8Array): number {
  const counts = new Float64Array(256);
  for (const byte of text) counts[byte]!++;
  return counts.reduce((total, count) => {
    const share = count / text.length;
    return count === 0 ? total : total - share * Math.log(share);
  }, 0);
}
