/** A folder of images as what a vision transformer trains on. */
import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { MeshwrightError } from '../errors.js';
import type { Job } from '../job/index.js';
import type { VitConfig } from '../models/index.js';
import type { Numbers } from '../runtime/index.js';
import type { ImageFolder, ImageSample } from './data/folder.js';
import type { ImageBatch, ImageLoader } from './data/loader.js';
import { createImageLoader } from './data/loader.js';
import { openDataset } from './dataset.js';
import type { Dataset } from './dataset.js';
import type { ImageEvaluation } from './evaluation.js';
import type { RunForward, SourceOptions, TrainingData, TrainingSource } from './source.js';

const PREFETCHED_BATCHES = 2;

/**
 * @throws MeshwrightError JOB_INVALID of a job that is for other images (classes, a batch of more than there are), and as
 *   `openDataset`
 */
export async function openImages(job: Job, model: VitConfig, folder: string): Promise<TrainingData> {
  const dataset = await openDataset(folder);
  if (model.channels !== 3) {
    throw new MeshwrightError('JOB_INVALID', {
      place: 'model.channels',
      expected: '3, red, green and blue, to train on images',
      got: String(model.channels),
    });
  }
  const { classes, samples } = dataset.train;
  if (classes.length < 2) {
    const [only] = classes;
    const hint = 'each class is a folder of its own; train/ and held-out/, where there are any, lie around them';
    throw new MeshwrightError('DATA_INVALID', {
      place: folder,
      expected: 'at least two classes',
      got: `one, ${only}`,
      hint,
    });
  }
  if (classes.length !== model.classes) {
    throw new MeshwrightError('JOB_INVALID', {
      place: 'model.classes',
      expected: `${classes.length}, the classes of ${folder}`,
      got: String(model.classes),
    });
  }
  if (job.batch > samples.length) {
    throw new MeshwrightError('JOB_INVALID', {
      place: 'batch',
      expected: `at most the ${samples.length} images there are to train on`,
      got: String(job.batch),
    });
  }
  return {
    field: 'images',
    about: `${samples.length} images in ${classes.length} classes`,
    digest: namesDigest(dataset.train),
    batchesPerEpoch: Math.floor(samples.length / job.batch),
    start: (options) => startImages(job, model, dataset, options),
  };
}

/** Of the classes and the images' names in them, not of where the folder lies. */
function namesDigest({ classes, samples }: ImageFolder): string {
  const names = samples.map(({ path, label }) => [label, basename(path)]);
  return createHash('sha256')
    .update(JSON.stringify([classes, names]))
    .digest('hex');
}

function startImages(
  { batch, training }: Job,
  model: VitConfig,
  { train, heldOut }: Dataset,
  { imageWorker, onSkipped, startBatch }: SourceOptions,
): TrainingSource {
  const loaderOf = (
    samples: readonly ImageSample[],
    batchSize: number,
    augmented: boolean,
    first: number,
  ): ImageLoader =>
    createImageLoader({
      imageSize: model.imageSize,
      samples,
      classCount: model.classes,
      batchSize,
      seed: training.seed,
      training: augmented,
      workers: training.loaderWorkers,
      prefetchBatches: PREFETCHED_BATCHES,
      workerUrl: imageWorker,
      startBatch: first,
      onSkipped,
    });
  const loader = loaderOf(train.samples, batch, true, startBatch);
  const batches = loader[Symbol.asyncIterator]();
  const { batchesPerEpoch } = loader;
  const evaluate = async (run: RunForward, examples: number): Promise<ImageEvaluation> => {
    const inOrder = loaderOf(heldOut!.samples, examples, false, 0);
    return accuracyOver(inOrder, run, model.classes).finally(() => inOrder.close());
  };
  return {
    coldBatches: batchesPerEpoch,
    ...(heldOut === undefined ? {} : { heldOut: { output: 'logits', evaluate } }),
    async next() {
      const { value } = (await batches.next()) as IteratorYieldResult<ImageBatch>;
      return { data: value, epoch: value.epoch };
    },
    close: () => loader.close(),
  };
}

/** The index of the largest of the values. */
function largest(values: ArrayLike<number>): number {
  let best = 0;
  for (let index = 1; index < values.length; index++) if (values[index]! > values[best]!) best = index;
  return best;
}

/**
 * @param loader one pass over the images, in order
 * @param run gives logits [B,classes]
 */
async function accuracyOver(loader: ImageLoader, run: RunForward, classes: number): Promise<ImageEvaluation> {
  let images = 0;
  let right = 0;
  for await (const batch of loader) {
    const logits = await run(batch);
    for (let row = 0; row < batch.count; row++) {
      const slice = (values: Numbers) => values.subarray(row * classes, (row + 1) * classes);
      if (largest(slice(logits)) === largest(slice(batch.labels))) right++;
    }
    images += batch.count;
  }
  return { of: 'images', images, accuracy: images === 0 ? 0 : right / images, chance: 1 / classes };
}
