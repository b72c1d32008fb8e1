import { mkdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { scanImageFolder } from '../../../src/train/data/folder.js';
import { temporaryFolder, writeTo } from './images.js';

/** The scanner reads names only, so empty files will do. */
async function folderOf(...names: string[]): Promise<string> {
  const dir = await temporaryFolder();
  for (const name of names) {
    if (name.endsWith('/')) await mkdir(join(dir, name), { recursive: true });
    else await writeTo(join(dir, name), '');
  }
  return dir;
}

describe('scanning an image folder', () => {
  it('labels images by class folder, sorted by name, whatever the case of their extension', async () => {
    const dir = await folderOf('dog/b.JPG', 'dog/a.webp', 'cat/z.Png', 'cat/y.jpeg', 'Zebra/1.png');
    const { classes, samples } = await scanImageFolder(dir);
    expect(classes).toEqual(['Zebra', 'cat', 'dog']);
    expect(samples.map(({ path, label }) => [relative(dir, path), label])).toEqual([
      ['Zebra/1.png', 0],
      ['cat/y.jpeg', 1],
      ['cat/z.Png', 1],
      ['dog/a.webp', 2],
      ['dog/b.JPG', 2],
    ]);
  });

  it('passes over other files, hidden files, hidden folders and files beside the class folders', async () => {
    const dir = await folderOf('cat/a.png', 'cat/notes.txt', 'cat/._a.png', '.cache/x.png', 'cover.png');
    const { classes, samples } = await scanImageFolder(dir);
    expect([classes, samples.length]).toEqual([['cat'], 1]);
  });

  it('refuses a folder that is not there, and a file in its place', async () => {
    const dir = await folderOf('file.png');
    for (const place of [join(dir, 'none'), join(dir, 'file.png')]) {
      await expect(scanImageFolder(place)).rejects.toMatchObject({ code: 'DATA_NOT_FOUND', detail: { place } });
    }
  });

  it('refuses a folder without class folders or without any image', async () => {
    const flat = await folderOf('a.png');
    await expect(scanImageFolder(flat)).rejects.toMatchObject({ code: 'DATA_NO_IMAGES', detail: { place: flat } });
    await expect(scanImageFolder(await folderOf('cat/', 'dog/'))).rejects.toMatchObject({ code: 'DATA_NO_IMAGES' });
  });

  it('refuses an empty class folder, naming it', async () => {
    const dir = await folderOf('cat/a.png', 'dog/readme.txt');
    const place = join(dir, 'dog');
    await expect(scanImageFolder(dir)).rejects.toMatchObject({ code: 'DATA_EMPTY_CLASS', detail: { place } });
  });

  it("keeps the training set's labels for a held-out set that lacks a class, and refuses an unknown class", async () => {
    const dir = await folderOf('dog/a.png');
    const { classes, samples } = await scanImageFolder(dir, ['cat', 'dog']);
    expect([classes, samples[0]?.label]).toEqual([['cat', 'dog'], 1]);
    await expect(scanImageFolder(dir, ['cat'])).rejects.toMatchObject({ code: 'DATA_EMPTY_CLASS' });
  });
});
