/** What the tests of the image loader share: options, and batches taken from it. */
import type { ImageFolder } from '../../../src/train/data/folder.js';
import { createImageLoader } from '../../../src/train/data/loader.js';
import type { ImageBatch, ImageLoader, ImageLoaderOptions } from '../../../src/train/data/loader.js';

const workerUrl = new URL('../../../dist/src/cli/image-worker.js', import.meta.url);

/** What a batch held: the loader overwrites its memory. */
const copyOf = (batch: ImageBatch) => ({ ...batch, images: [...batch.images], labels: [...batch.labels] });
type Copy = ReturnType<typeof copyOf>;

export async function take(loader: ImageLoader, count: number): Promise<Copy[]> {
  const batches: Copy[] = [];
  for await (const batch of loader) if (batches.push(copyOf(batch)) === count) break;
  return batches;
}

/** Closes the loader whatever happens. */
export async function withLoader<T>(options: ImageLoaderOptions, use: (loader: ImageLoader) => Promise<T>): Promise<T> {
  const loader = createImageLoader(options);
  try {
    return await use(loader);
  } finally {
    await loader.close();
  }
}

/** Images for `writeFolder`, each of another grey level. */
export const names = (folder: string, count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`${folder}/${i}.png`, i * 20]));

export const optionsFor = (folder: ImageFolder, changes: Partial<ImageLoaderOptions> = {}): ImageLoaderOptions => ({
  samples: folder.samples,
  classCount: folder.classes.length,
  batchSize: 4,
  imageSize: 8,
  seed: 5,
  training: true,
  workers: 1,
  prefetchBatches: 2,
  workerUrl,
  ...changes,
});
