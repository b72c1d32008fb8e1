import { rm } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { scanImageFolder } from '../../../src/train/data/folder.js';
import type { ImageFolder } from '../../../src/train/data/folder.js';
import { bytes } from '../../../src/units.js';
import { temporaryFolder, writeFolder } from './images.js';
import { names, optionsFor, take, withLoader } from './loading.js';

let folder: ImageFolder;
beforeAll(async () => {
  const images = { ...names('a', 6), ...names('b', 5) };
  folder = await scanImageFolder(
    await writeFolder(await temporaryFolder(), { images, corrupt: ['a/1.png', 'a/2.png'] }),
  );
});

describe('decoded images', () => {
  // Each file of `names` is 12×10.
  const bytesPerImage = 12 * 10 * 3;

  it.each([true, false])('do not change a pixel by being kept (training: %s)', async (training) => {
    const limits = [0, 3 * bytesPerImage, 1e6];
    const runs = limits.map((limit) => {
      const options = optionsFor(folder, { training, cacheBytes: bytes(limit), workers: 2 });
      // Five batches reach into the third epoch of training; evaluation is gone through twice.
      return withLoader(options, async (loader) => [...(await take(loader, 5)), ...(await take(loader, 5))]);
    });
    const [none, few, all] = await Promise.all(runs);
    expect(few).toEqual(none);
    expect(all).toEqual(none);
  });

  it('are in the second epoch what a loader that starts there reads', async () => {
    const fromStart = await withLoader(optionsFor(folder, { workers: 2 }), (loader) => take(loader, 4));
    const fresh = await withLoader(optionsFor(folder, { workers: 2, startBatch: 2 }), (loader) => take(loader, 2));
    expect(fresh).toEqual(fromStart.slice(2));
  });

  it.each([1, 2, 3])('are kept up to cacheBytes by %i workers together, and not decoded again', async (workers) => {
    const dir = await temporaryFolder();
    await writeFolder(dir, { images: names('a', 9) });
    const cacheBytes = bytes(6 * bytesPerImage);
    const options = optionsFor(await scanImageFolder(dir), { training: false, workers, cacheBytes });
    await withLoader(options, async (loader) => {
      const first = await take(loader, Infinity);
      await rm(dir, { recursive: true });
      const second = await take(loader, Infinity);
      expect(second.flatMap(({ sampleIndices }) => sampleIndices)).toEqual([0, 1, 2, 3, 4, 5]);
      expect(second[0]).toEqual(first[0]);
    });
  });
});
