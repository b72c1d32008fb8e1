/**
 * Writes a small text to train on: short sentences whose second half follows from the first, so that a model first
 * learns the bytes' frequencies, then the words, and then to look back.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { MeshwrightError } from '../../errors.js';
import type { Random } from '../../random.js';
import { createRandom } from '../../random.js';

export interface TextSettings {
  /** The length of the file. */
  readonly bytes: number;
  readonly seed: number;
}

/** Larger than anything it could be of use for, and quickly written. */
const MOST_BYTES = 2 ** 28;

const PEOPLE = [
  ['Anna', 'She'],
  ['Ben', 'He'],
  ['Carla', 'She'],
  ['David', 'He'],
  ['Emma', 'She'],
  ['Felix', 'He'],
  ['Grace', 'She'],
  ['Henry', 'He'],
] as const;
const COLOURS = ['red', 'green', 'blue', 'yellow', 'black', 'white'] as const;
const THINGS = ['ball', 'cup', 'key', 'book', 'hat', 'stone', 'coin', 'pen'] as const;
const PLACES = ['under the bed', 'in the box', 'on the shelf', 'behind the door', 'in the garden'] as const;

const pick = <T>(list: readonly T[], random: Random): T => list[random.below(list.length)]!;

/** ASCII, at most 64 bytes with the end of the line, so that a sequence of gpt-tiny holds one whole. */
function writeLine(random: Random): string {
  const [name, pronoun] = pick(PEOPLE, random);
  const thing = pick(THINGS, random);
  const forms = [
    () => {
      const colour = pick(COLOURS, random);
      return `${name} has a ${colour} ${thing}. ${pronoun} likes ${colour}.\n`;
    },
    () => {
      const place = pick(PLACES, random);
      return `${name} hides a ${thing} ${place}. It is ${place}.\n`;
    },
    () => {
      const [some, more] = [2 + random.below(3), 1 + random.below(4)];
      return `${name} has ${some} ${thing}s and finds ${more} more: ${some + more} ${thing}s.\n`;
    },
  ];
  return pick(forms, random)();
}

/** The same settings give the same text. */
export function composeText({ bytes, seed }: TextSettings): string {
  const random = createRandom(seed);
  const lines: string[] = [];
  for (let length = 0; length < bytes; length += lines.at(-1)!.length) lines.push(writeLine(random));
  return lines.join('').slice(0, bytes);
}

/**
 * Writes the text to a file, and the folders it lies in, or leaves the file that has it already.
 *
 * @returns whether it was there
 * @throws MeshwrightError RUN_EXISTS where something else is there, JOB_INVALID where it is too long, USAGE where it can't be
 *   written
 */
export async function generateText(path: string, settings: TextSettings): Promise<{ readonly reused: boolean }> {
  if (!(settings.bytes <= MOST_BYTES)) {
    const [expected, got] = [`at most ${MOST_BYTES}`, String(settings.bytes)];
    throw new MeshwrightError('JOB_INVALID', { place: 'bytes', expected, got });
  }
  const text = composeText(settings);
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text, { flag: 'wx' });
    return { reused: false };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'EEXIST') {
      throw new MeshwrightError('USAGE', { place: path, expected: 'a file that can be written', got: message });
    }
  }
  if ((await readFile(path, 'latin1').catch(() => undefined)) === text) return { reused: true };
  throw new MeshwrightError('RUN_EXISTS', {
    place: path,
    expected: 'no such file, or the same text from an earlier time',
    got: 'something else',
    hint: 'name another file, or remove this one',
  });
}
