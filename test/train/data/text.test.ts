import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { byteEntropy, readText, sequenceCount, sequencesAt, splitText } from '../../../src/train/data/text.js';
import { temporaryFolder, writeTo } from './images.js';

const ascending = (length: number): Uint8Array => Uint8Array.from({ length }, (_, index) => index);

describe('a text is read', () => {
  let dir: string;
  beforeAll(async () => {
    dir = await temporaryFolder();
    await writeTo(join(dir, 'texts', 'b.txt'), Buffer.from('second '));
    await writeTo(join(dir, 'texts', 'a.md'), Buffer.from('first '));
    await writeTo(join(dir, 'texts', 'c'), Buffer.from('é'));
    await writeTo(join(dir, 'texts', '.hidden'), Buffer.from('never'));
    await writeTo(join(dir, 'texts', 'inner', 'aa.txt'), Buffer.from('never'));
  });

  it('from a file, as its bytes', async () => {
    expect([...(await readText(join(dir, 'texts', 'c')))]).toEqual([0xc3, 0xa9]);
  });

  it('from a folder, its files one after the other by name, what is hidden or a folder left out', async () => {
    const text = await readText(join(dir, 'texts'));
    expect(Buffer.from(text).toString()).toBe('first second é');
  });

  it('from nothing, from a folder without files or from a file that goes nowhere: refused', async () => {
    await mkdir(join(dir, 'empty'));
    await symlink(join(dir, 'gone'), join(dir, 'link'));
    for (const [name, got] of [
      ['none', 'nothing there'],
      ['empty', 'a folder without files'],
      ['link', 'nothing there'],
    ] as const) {
      const place = join(dir, name);
      await expect(readText(place)).rejects.toMatchObject({ code: 'DATA_NOT_FOUND', detail: { place, got } });
    }
  });
});

describe('what is no text in UTF-8 is refused', () => {
  it.each([
    ['a zero byte', Buffer.from('ab\0c'), 'a zero byte, at 2'],
    ['UTF-16', Buffer.from('\ufefftext', 'utf16le'), 'UTF-16'],
    ['Latin-1', Buffer.from('café', 'latin1'), 'bytes that are not'],
    ['a character that is cut off', Buffer.from('café').subarray(0, 4), 'bytes that are not'],
  ] as const)('%s', async (name, bytes, got) => {
    const dir = await temporaryFolder();
    const place = join(dir, name);
    await writeTo(join(dir, 'a.txt'), Buffer.from('a text '));
    await writeTo(place, bytes);
    await expect(readText(dir)).rejects.toMatchObject({ code: 'DATA_INVALID', detail: { place, got } });
  });
});

describe('a text is split', () => {
  it('with a twentieth of the sequences held out, at least 4 and at most 512', () => {
    const heldOut = (sequences: number) =>
      sequenceCount(splitText(new Uint8Array(sequences * 8 + 1), 8, '').heldOut, 8);
    expect([5, 80, 100, 1000, 100_000].map(heldOut)).toEqual([4, 4, 5, 50, 512]);
  });

  it('so that every byte but the first is predicted in one part only', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 0, max: 400 }), (sequence, more) => {
        const text = ascending(5 * sequence + 1 + more);
        const { train, heldOut } = splitText(text, sequence, '');
        expect([...train.subarray(1), ...heldOut.subarray(1)]).toEqual([...text.subarray(1)]);
        expect(heldOut[0]).toBe(train.at(-1));
        expect((heldOut.length - 1) % sequence).toBe(0);
        expect(sequenceCount(train, sequence)).toBeGreaterThanOrEqual(1);
      }),
    );
  });

  it('unless it is too short to train on what is left', () => {
    expect(() => splitText(new Uint8Array(5 * 64), 64, 'short.txt')).toThrow(
      'DATA_TOO_SHORT at short.txt: expected at least 321 bytes: 4 sequences of 64 to hold out, one to train on, and the byte after them, got 320',
    );
  });
});

it('the target of every byte is the byte after it', () => {
  const text = ascending(20);
  const { tokens, targets } = sequencesAt(text, [3, 0, 16], 3);
  expect([...tokens]).toEqual([3, 4, 5, 0, 1, 2, 16, 17, 18]);
  expect([...targets]).toEqual([...tokens].map((token) => token + 1));
});

it('the entropy of bytes is ln n where n of them are equally frequent, and 0 for one', () => {
  expect(byteEntropy(ascending(256))).toBeCloseTo(Math.log(256), 12);
  expect(byteEntropy(Uint8Array.of(7, 9, 9, 7))).toBeCloseTo(Math.LN2, 12);
  expect(byteEntropy(Uint8Array.of(7, 7))).toBe(0);
});
