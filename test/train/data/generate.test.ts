import { readFile, readdir } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { DRAWN_CLASSES, drawnClassName } from '../../../src/train/data/draw.js';
import { scanImageFolder } from '../../../src/train/data/folder.js';
import { generateDataset } from '../../../src/train/data/generate.js';
import { temporaryFolder, writeTo } from './images.js';

const settings = { classCount: 5, trainImagesPerClass: 3, heldOutImagesPerClass: 2, imageSize: 16, seed: 11 };

describe('the generated image set', () => {
  let dir: string;
  beforeAll(async () => {
    dir = await temporaryFolder();
    await generateDataset(join(dir, 'set'), settings);
  });

  it('holds as many classes and images per class as asked, in two splits', async () => {
    const train = await scanImageFolder(join(dir, 'set', 'train'));
    const heldOut = await scanImageFolder(join(dir, 'set', 'held-out'));
    expect(train.classes).toHaveLength(5);
    expect(heldOut.classes).toEqual(train.classes);
    expect([train.samples.length, heldOut.samples.length]).toEqual([15, 10]);
  });

  it('consists of real PNG files of the asked size that differ from one another', async () => {
    const { samples } = await scanImageFolder(join(dir, 'set', 'train'));
    const contents = await Promise.all(samples.map(({ path }) => readFile(path)));
    expect(new Set(contents.map((content) => content.toString('base64'))).size).toBe(15);
    const { format, width, height, channels } = await sharp(contents[0]).metadata();
    expect({ format, width, height, channels }).toEqual({ format: 'png', width: 16, height: 16, channels: 3 });
  });

  it('is the same for the same seed and another for another', async () => {
    await generateDataset(join(dir, 'again'), settings);
    await generateDataset(join(dir, 'other'), { ...settings, seed: 12 });
    for (const split of ['train', 'held-out']) {
      const { samples } = await scanImageFolder(join(dir, 'set', split));
      for (const { path } of samples) {
        const content = await readFile(path);
        const within = relative(join(dir, 'set'), path);
        expect(content.equals(await readFile(join(dir, 'again', within)))).toBe(true);
        expect(content.equals(await readFile(join(dir, 'other', within)))).toBe(false);
      }
    }
  });

  it('is reused where the same settings made it, and refused where anything else is', async () => {
    const place = join(dir, 'set');
    expect(await generateDataset(place, settings)).toMatchObject({ reused: true });
    const others = generateDataset(place, { ...settings, seed: 12 });
    await expect(others).rejects.toMatchObject({ code: 'RUN_EXISTS', detail: { place } });
    await writeTo(join(dir, 'mine', 'notes.txt'), 'keep');
    await expect(generateDataset(join(dir, 'mine'), settings)).rejects.toMatchObject({ code: 'RUN_EXISTS' });
    expect(await readdir(join(dir, 'mine'))).toEqual(['notes.txt']);
  });

  it('leaves no temporary folder behind, also when two write it at once', async () => {
    const place = join(dir, 'race', 'set');
    const both = await Promise.all([generateDataset(place, settings), generateDataset(place, settings)]);
    expect(both.map(({ reused }) => reused).sort()).toEqual([false, true]);
    expect(await readdir(dirname(place))).toEqual(['set']);
  });

  it('has a distinct name for each of the 144 combinations, and refuses a 145th', async () => {
    expect(new Set(DRAWN_CLASSES.map(drawnClassName)).size).toBe(144);
    const tooMany = generateDataset(join(dir, 'many'), { ...settings, classCount: 145 });
    await expect(tooMany).rejects.toMatchObject({ code: 'JOB_INVALID', detail: { place: 'classCount' } });
  });
});
