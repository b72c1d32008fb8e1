/** A file is there whole or not at all, whatever goes wrong while it is made. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { MeshwrightError } from '../src/errors.js';
import { renamedFolder, writeDocument, writeText, writeWhole, writeWholeLater } from '../src/whole-file.js';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'meshwright-whole-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const failure = (act: () => unknown): unknown => {
  try {
    act();
  } catch (error) {
    return error;
  }
  return undefined;
};

it('has its name only when it is whole: until then the old one is read, and nothing else is left', async () => {
  const path = join(folder, 'a');
  writeText(folder, 'a', 'old');
  const seen = (): [string, number] => [readFileSync(path, 'utf8'), readdirSync(folder).length];
  const result = writeWhole(path, (under) => {
    writeFileSync(under, 'half');
    expect(seen()).toEqual(['old', 2]);
    writeFileSync(under, 'new');
    return 3;
  });
  expect(result).toBe(3);
  expect(seen()).toEqual(['new', 1]);
  await writeWholeLater(path, async (under) => {
    await Promise.resolve();
    writeFileSync(under, 'newer');
  });
  expect(seen()).toEqual(['newer', 1]);
});

it('that can’t be finished leaves the old one and nothing under way, and says WRITE_FAILED, or what it was', async () => {
  const path = join(folder, 'a');
  writeText(folder, 'a', 'old');
  const broken = (error: Error) => (under: string) => {
    writeFileSync(under, 'half');
    throw error;
  };
  const full = Object.assign(new Error('write'), { code: 'ENOSPC' });
  const hint = 'make room';
  const expected = {
    code: 'WRITE_FAILED',
    exitStatus: 1,
    detail: { place: path, expected: 'a file that can be written', got: 'no space left on the device', hint },
  };
  expect(failure(() => writeWhole(path, broken(full), { hint }))).toMatchObject(expected);
  const later = writeWholeLater(path, (under) => Promise.resolve(under).then(broken(full)), { hint });
  await expect(later).rejects.toMatchObject(expected);
  const own = new MeshwrightError('RANK_FAILED', { place: 'rank 0', expected: 'an answer', got: 'none' });
  expect(failure(() => writeWhole(path, broken(own)))).toBe(own);
  // Nothing was made.
  expect(failure(() => writeWhole(path, () => undefined))).toMatchObject({ code: 'WRITE_FAILED' });
  expect(readdirSync(folder)).toEqual(['a']);
  expect(readFileSync(path, 'utf8')).toBe('old');
});

it('is WRITE_FAILED where its folder is gone, is a file, or has a folder of its name', () => {
  writeFileSync(join(folder, 'file'), '');
  mkdirSync(join(folder, 'taken'));
  for (const [where, name, got] of [
    ['gone', 'a', 'no such file or directory'],
    ['file', 'a', 'a path that leads through a file'],
    ['.', 'taken', 'a directory'],
  ] as const) {
    const error = failure(() => writeDocument(join(folder, where), name, {}));
    expect(error).toMatchObject({ code: 'WRITE_FAILED', detail: { place: join(folder, where, name), got } });
  }
  expect(readdirSync(folder).sort()).toEqual(['file', 'taken']);
});

it.skipIf(process.getuid?.() === 0)('is WRITE_FAILED in a folder that is read-only', () => {
  chmodSync(folder, 0o500);
  expect(failure(() => writeText(folder, 'a', ''))).toMatchObject({ detail: { got: 'no permission' } });
  chmodSync(folder, 0o700);
});

it('of two writers of one name each makes its own: what is there in the end is one of them, whole', async () => {
  const path = join(folder, 'a');
  const texts = Array.from({ length: 8 }, (_, index) => String(index).repeat(1000));
  const write = (text: string) =>
    writeWholeLater(path, async (under) => {
      for (const piece of [text.slice(0, 500), text.slice(500)]) {
        writeFileSync(under, piece, { flag: 'a' });
        await Promise.resolve();
      }
    });
  await Promise.all(texts.map(write));
  expect(texts).toContain(readFileSync(path, 'utf8'));
  expect(readdirSync(folder)).toEqual(['a']);
});

it('a folder with something in it takes the place of none that has', () => {
  for (const name of ['first', 'second']) {
    mkdirSync(join(folder, name));
    writeText(join(folder, name), 'who', name);
  }
  const to = join(folder, 'taken');
  expect(renamedFolder(join(folder, 'first'), to)).toBe(true);
  expect(renamedFolder(join(folder, 'second'), to)).toBe(false);
  expect(readFileSync(join(to, 'who'), 'utf8')).toBe('first');
  expect(existsSync(join(folder, 'second'))).toBe(true);
});
