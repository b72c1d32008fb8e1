import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { composeText, generateText } from '../../../src/train/data/write-text.js';
import { temporaryFolder } from './images.js';

describe('the generated text', () => {
  const text = composeText({ bytes: 20_000, seed: 1 });
  const lines = text.split('\n').slice(0, -1);

  it('is the same for the same seed, another for another, and begins a longer one', () => {
    expect(composeText({ bytes: 20_000, seed: 1 })).toBe(text);
    expect(composeText({ bytes: 20_000, seed: 2 })).not.toBe(text);
    expect(composeText({ bytes: 30_000, seed: 1 }).startsWith(text)).toBe(true);
  });

  it('is ASCII of the length that was asked for, in lines that a sequence of 64 holds', () => {
    expect(Buffer.byteLength(text)).toBe(20_000);
    expect(text).toMatch(/^[\n -~]*$/);
    expect(Math.max(...lines.map((line) => line.length + 1))).toBeLessThanOrEqual(64);
  });

  it('has sentences that end as their beginning says', () => {
    const said = [
      (line: string) => /^\w+ has a (\w+) \w+\. S?[Hh]e likes (\w+)\.$/.exec(line),
      (line: string) => /^\w+ hides a \w+ (.+)\. It is (.+)\.$/.exec(line),
      (line: string) => {
        const found = /^\w+ has (\d) (\w+)s and finds (\d) more: (\d) (\w+)s\.$/.exec(line);
        return found && ['', `${+found[1]! + +found[3]!} ${found[2]}`, `${found[4]} ${found[5]}`];
      },
    ];
    const seen = new Set<number>();
    for (const line of lines) {
      const form = said.findIndex((read) => read(line) !== null);
      const [, first, second] = said[form]!(line)!;
      expect(second, line).toBe(first);
      seen.add(form);
    }
    expect(seen.size).toBe(said.length);
  });
});

describe('the file of a generated text', () => {
  let dir: string;
  beforeAll(async () => void (dir = await temporaryFolder()));

  it('is written once, with its folders, and found again by the same settings', async () => {
    const path = join(dir, 'new', 'text.txt');
    expect(await generateText(path, { bytes: 100, seed: 3 })).toEqual({ reused: false });
    expect(await readFile(path, 'utf8')).toBe(composeText({ bytes: 100, seed: 3 }));
    expect(await generateText(path, { bytes: 100, seed: 3 })).toEqual({ reused: true });
    await expect(generateText(path, { bytes: 100, seed: 4 })).rejects.toMatchObject({ code: 'RUN_EXISTS' });
  });

  it('replaces nothing', async () => {
    const path = join(dir, 'mine.txt');
    await writeFile(path, 'mine');
    await expect(generateText(path, { bytes: 100, seed: 3 })).rejects.toMatchObject({ code: 'RUN_EXISTS' });
    expect(await readFile(path, 'utf8')).toBe('mine');
    const under = join(path, 'text.txt');
    await expect(generateText(under, { bytes: 100, seed: 3 })).rejects.toMatchObject({ exitStatus: 2 });
  });
});
