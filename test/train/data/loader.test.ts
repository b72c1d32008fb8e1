import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { scanImageFolder } from '../../../src/train/data/folder.js';
import type { ImageFolder } from '../../../src/train/data/folder.js';
import { createImageLoader } from '../../../src/train/data/loader.js';
import type { ImageLoaderOptions } from '../../../src/train/data/loader.js';
import { bytes } from '../../../src/units.js';
import { temporaryFolder, writeFolder, writeTo } from './images.js';
import { names, optionsFor, take, withLoader } from './loading.js';

const threadCount = () => (process.report.getReport() as unknown as { workers: unknown[] }).workers.length;

let good: ImageFolder;
let damaged: ImageFolder;
let damagedDir: string;
beforeAll(async () => {
  good = await scanImageFolder(
    await writeFolder(await temporaryFolder(), { images: { ...names('a', 6), ...names('b', 5) } }),
  );
  damagedDir = await temporaryFolder();
  const images = { ...names('a', 5), ...names('b', 5) };
  await writeFolder(damagedDir, { images, corrupt: ['a/1.png', 'a/2.png'] });
  await writeTo(join(damagedDir, 'b', 'text.jpg'), 'not an image');
  damaged = await scanImageFolder(damagedDir);
});

describe('batches for training', () => {
  it('are shared memory [B,H,W,3] with one-hot labels [B,classes], and drop the epoch’s last partial batch', async () => {
    await withLoader(optionsFor(good), async (loader) => {
      expect(loader.batchesPerEpoch).toBe(2);
      for await (const { images, labels, count, sampleIndices, epoch, index } of loader) {
        expect([images.buffer, labels.buffer]).toEqual([expect.any(SharedArrayBuffer), expect.any(SharedArrayBuffer)]);
        expect([images.length, labels.length, count]).toEqual([4 * 8 * 8 * 3, 4 * 2, 4]);
        const expected = sampleIndices.flatMap((sample) => (good.samples[sample]!.label === 0 ? [1, 0] : [0, 1]));
        expect([...labels]).toEqual(expected);
        expect(epoch).toBe(Math.floor(index / 2));
        if (index === 4) break;
      }
    });
  });

  it('take no image twice in an epoch, and shuffle anew in the next', async () => {
    const batches = await withLoader(optionsFor(good), (loader) => take(loader, 4));
    const epochs = [batches.slice(0, 2), batches.slice(2)].map((epoch) => epoch.flatMap((b) => b.sampleIndices));
    for (const samples of epochs) expect(new Set(samples).size).toBe(8);
    expect(epochs[0]).not.toEqual(epochs[1]);
  });

  it('do not depend on the number of workers or on how many are prefetched', async () => {
    const one = await withLoader(optionsFor(damaged), (loader) => take(loader, 5));
    const changes = { workers: 3, prefetchBatches: 5 };
    const three = await withLoader(optionsFor(damaged, changes), (loader) => take(loader, 5));
    expect(three).toEqual(one);
    const otherSeed = await withLoader(optionsFor(damaged, { seed: 6 }), (loader) => take(loader, 5));
    expect(otherSeed).not.toEqual(one);
  });

  it('are the same when resumed at a batch, across epochs and corrupt images', async () => {
    const fromStart = await withLoader(optionsFor(damaged), (loader) => take(loader, 7));
    const resumed = await withLoader(optionsFor(damaged, { startBatch: 3 }), (loader) => take(loader, 4));
    expect(resumed).toEqual(fromStart.slice(3));
    expect(resumed[0]).toMatchObject({ index: 3, epoch: 1 });
  });

  it('start over with each iteration, also after one was left early', async () => {
    await withLoader(optionsFor(good), async (loader) => {
      const first = await take(loader, 1);
      expect(await take(loader, 3)).toEqual([...first, expect.anything(), expect.anything()]);
    });
  });
});

describe('batches for evaluation', () => {
  it('cover every image once, in order, the last batch padded with zero rows', async () => {
    await withLoader(optionsFor(good, { training: false }), async (loader) => {
      const batches = await take(loader, Infinity);
      expect(batches.map(({ count }) => count)).toEqual([4, 4, 3]);
      expect(batches.flatMap(({ sampleIndices }) => sampleIndices)).toEqual([...good.samples.keys()]);
      expect(batches[2]!.images.slice(3 * 8 * 8 * 3)).toEqual(Array(8 * 8 * 3).fill(0));
      expect(batches[2]!.labels.slice(3 * 2)).toEqual([0, 0]);
      expect(await take(loader, Infinity)).toEqual(batches);
    });
  });

  it('leave corrupt images out, with the rows after them moved up', async () => {
    const all = await withLoader(optionsFor(damaged, { training: false }), (loader) => take(loader, Infinity));
    expect(all.map(({ sampleIndices }) => sampleIndices)).toEqual([
      [0, 3],
      [4, 5, 6, 7],
      [8, 9],
    ]);
    const alone = optionsFor(damaged, { training: false, batchSize: 1, startBatch: 3 });
    const [third] = await withLoader(alone, (loader) => take(loader, 1));
    expect(all[0]!.images.slice(8 * 8 * 3, 2 * 8 * 8 * 3)).toEqual(third!.images);
  });
});

describe('corrupt images', () => {
  it('are replaced in training, named once with a reason, and counted', async () => {
    const named: string[] = [];
    const options = optionsFor(damaged, { onSkipped: ({ path }) => named.push(path) });
    await withLoader(options, async (loader) => {
      const batches = await take(loader, 12);
      const bad = ['a/1.png', 'a/2.png', 'b/text.jpg'].map((name) => join(damagedDir, name));
      expect(loader.skipped.map(({ path }) => path).sort()).toEqual(bad);
      expect(loader.skipped.every(({ reason }) => reason.length > 0)).toBe(true);
      expect(named).toEqual(loader.skipped.map(({ path }) => path));
      const used = new Set(batches.flatMap(({ sampleIndices }) => sampleIndices.map((i) => damaged.samples[i]!.path)));
      expect(bad.filter((path) => used.has(path))).toEqual([]);
      expect(batches.every(({ count }) => count === 4)).toBe(true);
    });
  });

  it.each([true, false])('end with an error where a class has no other (training: %s)', async (training) => {
    const dir = await temporaryFolder();
    const images = { ...names('a', 4), ...names('b', 2) };
    await writeFolder(dir, { images, corrupt: ['b/0.png', 'b/1.png'] });
    const run = withLoader(optionsFor(await scanImageFolder(dir), { training }), (loader) => take(loader, 20));
    await expect(run).rejects.toMatchObject({ code: 'DATA_EMPTY_CLASS', detail: { place: join(dir, 'b') } });
  });

  it.each([true, false])('end with an error where there is nothing else (training: %s)', async (training) => {
    const dir = await temporaryFolder();
    const images = { ...names('a', 3), ...names('b', 3) };
    await writeFolder(dir, { images, corrupt: Object.keys(images) });
    const options = optionsFor(await scanImageFolder(dir), { training, batchSize: 6 });
    await withLoader(options, async (loader) => {
      const refusal = { code: 'DATA_NO_IMAGES', detail: { place: dir } };
      await expect(take(loader, 20)).rejects.toMatchObject(refusal);
      // Also when asked again, with nothing new to find out.
      await expect(take(loader, 20)).rejects.toMatchObject(refusal);
    });
  });
});

describe('the loader’s workers', () => {
  it('are gone after close, which ends an iteration under way', async () => {
    const before = threadCount();
    const loader = createImageLoader(optionsFor(good, { workers: 2 }));
    const iterator = loader[Symbol.asyncIterator]();
    await iterator.next();
    expect(threadCount()).toBe(before + 2);
    await Promise.all([loader.close(), loader.close()]);
    expect(threadCount()).toBe(before);
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
    await expect(take(loader, 1)).rejects.toMatchObject({ code: 'INTERNAL' });
  });

  it('surface their errors: a module that is missing, throws when loaded, or throws in a task', async () => {
    const dir = await temporaryFolder();
    const modules = [
      join(dir, 'missing.mjs'),
      await writeTo(join(dir, 'load.mjs'), "throw new Error('broken at load');"),
      await writeTo(join(dir, 'task.mjs'), "export default () => { throw new Error('broken at work'); };"),
    ];
    const reasons = ['Cannot find module', 'broken at load', 'broken at work'];
    for (const [i, path] of modules.entries()) {
      const options = optionsFor(good, { workerUrl: new URL(`file://${path}`), workers: 2 });
      const run = withLoader(options, (loader) => take(loader, 1));
      await expect(run).rejects.toMatchObject({ code: 'INTERNAL', message: expect.stringContaining(reasons[i]!) });
    }
  });
});

describe('the loader’s options', () => {
  it.each<[string, Partial<ImageLoaderOptions>]>([
    ['batchSize', { batchSize: 0 }],
    ['batchSize', { batchSize: 12 }],
    ['workers', { workers: 1.5 }],
    ['prefetchBatches', { prefetchBatches: 0 }],
    ['startBatch', { startBatch: -1 }],
    ['cacheBytes', { cacheBytes: bytes(-1) }],
    ['imageSize', { imageSize: 7.5 }],
    ['cropArea', { cropArea: [0.5, 0.1] }],
    ['centralCrop', { centralCrop: 0 }],
    ['std', { std: [1, 0, 1] }],
  ])('are refused by name: %s in %o', (place, changes) => {
    expect(() => createImageLoader(optionsFor(good, changes))).toThrow(
      expect.objectContaining({ code: 'JOB_INVALID', detail: expect.objectContaining({ place }) }),
    );
  });

  it('are refused where a label is beyond the classes or there are no samples', () => {
    expect(() => createImageLoader(optionsFor(good, { classCount: 1 }))).toThrow(/label from 0 to 0/);
    expect(() => createImageLoader(optionsFor(good, { samples: [] }))).toThrow(/DATA_NO_IMAGES/);
  });
});
