/**
 * Batches of images in a fixed order, decoded ahead of time on a pool of threads. What a batch holds depends on the
 * seed, its index and the files, never on timing or on how many workers there are; so a run can resume at any batch.
 * Files are taken not to change while a loader is open: an image may be read once, or again each epoch.
 */
import { MeshwrightError } from '../../errors.js';
import { bytes } from '../../units.js';
import type { Bytes } from '../../units.js';
import { fillBatch } from './batch.js';
import type { BatchMemory, FilledBatch } from './batch.js';
import { checkDecodeOptions } from './decode.js';
import type { DecodeOptions } from './decode.js';
import type { ImageSample } from './folder.js';
import { createDecodePool } from './pool.js';
import { createRandom, permutation } from '../../random.js';
import { createSkippedAccount } from './skipped.js';
import type { SkippedImage } from './skipped.js';

export type { SkippedImage } from './skipped.js';

export interface ImageLoaderOptions extends DecodeOptions {
  readonly samples: readonly ImageSample[];
  /** Every sample's label is below it. */
  readonly classCount: number;
  readonly batchSize: number;
  /** Decides the order and the augmentation; a whole number. */
  readonly seed: number;
  /** Training: shuffled, augmented, endless, whole batches only. Evaluation: in order, once, the last batch padded. */
  readonly training: boolean;
  /** Threads that decode. More than UV_THREADPOOL_SIZE (4 unless set) do not help: it bounds the whole process. */
  readonly workers: number;
  /**
   * The most decoded images to keep, all workers together, at 3 bytes a pixel of the file. Default 512 MiB, which is
   * 43,000 images of 64×64 or 950 of 500×375; those that do not fit are decoded anew each epoch. 0 keeps none.
   */
  readonly cacheBytes?: Bytes;
  /** Batches decoded ahead of the one in use, at least 1. */
  readonly prefetchBatches: number;
  /** The compiled worker module, `dist/src/cli/image-worker.js`. */
  readonly workerUrl: URL;
  /** The `index` of the first batch. Default 0; to resume after a batch, its index plus 1. */
  readonly startBatch?: number;
  /** Called once for each image that cannot be decoded, before the batch that would have held it. */
  readonly onSkipped?: (image: SkippedImage) => void;
}

/**
 * The memory belongs to the loader: it is overwritten once the next batch is asked for. (V8 does not count shared
 * memory when it decides to collect garbage, so fresh memory per batch would pile up.)
 */
export interface ImageBatch {
  /** [B,S,S,3], row-major, normalized; rows from `count` on are zero. */
  readonly images: Float32Array<SharedArrayBuffer>;
  /** One-hot [B,classes]; rows from `count` on are zero. */
  readonly labels: Float32Array<SharedArrayBuffer>;
  /** Valid rows: B in training, 1 to B in evaluation. */
  readonly count: number;
  /** Index into `samples` of each valid row. */
  readonly sampleIndices: readonly number[];
  /** From 0. */
  readonly epoch: number;
  /** Counted from the first batch of epoch 0, over all epochs. */
  readonly index: number;
}

/** Each iteration starts at `startBatch`, on the same pool. Breaking out of it stops the decoding ahead. */
export interface ImageLoader extends AsyncIterable<ImageBatch> {
  readonly batchesPerEpoch: number;
  /** Images met so far that cannot be decoded, each path once. Complete up to the batch last yielded. */
  readonly skipped: readonly SkippedImage[];
  /** Ends the iterations under way and the pool; resolves when no worker is left. */
  close(): Promise<void>;
}

const DEFAULT_CACHE_BYTES = bytes(512 * 2 ** 20);

function checkOptions(options: ImageLoaderOptions): void {
  const invalid = (place: string, expected: string, got: unknown) =>
    new MeshwrightError('JOB_INVALID', { place, expected, got: String(got) });
  checkDecodeOptions(options);
  const { batchSize, classCount, workers, prefetchBatches, startBatch = 0, cacheBytes = 0, samples } = options;
  for (const [name, value] of Object.entries({ batchSize, classCount, workers, prefetchBatches })) {
    if (!Number.isSafeInteger(value) || value < 1) throw invalid(name, 'a whole number of at least 1', value);
  }
  for (const [name, value] of Object.entries({ startBatch, cacheBytes })) {
    if (!Number.isSafeInteger(value) || value < 0) throw invalid(name, 'a whole number of at least 0', value);
  }
  if (!Number.isSafeInteger(options.seed)) throw invalid('seed', 'a whole number', options.seed);
  if (samples.length === 0) {
    throw new MeshwrightError('DATA_NO_IMAGES', { place: 'samples', expected: 'at least one image', got: 'none' });
  }
  const unlabelled = samples.find(({ label }) => !(label >= 0 && label < classCount));
  if (unlabelled) throw invalid(unlabelled.path, `a label from 0 to ${classCount - 1}`, unlabelled.label);
  if (options.training && batchSize > samples.length) {
    throw invalid('batchSize', `at most the ${samples.length} images there are to train on`, batchSize);
  }
}

/**
 * Starts the pool of a loader; call `close()` when done. An image that cannot be decoded is skipped and entered in
 * `skipped`: in training the next image of the epoch takes its place, in evaluation its batch has one row fewer.
 *
 * @throws MeshwrightError JOB_INVALID for an option out of range, DATA_NO_IMAGES without samples. Iterating throws
 * DATA_EMPTY_CLASS or DATA_NO_IMAGES when every image of a class, or of all, proves corrupt, and INTERNAL when a
 * worker fails.
 */
export function createImageLoader(options: ImageLoaderOptions): ImageLoader {
  checkOptions(options);
  const { samples, classCount, batchSize, seed, training, workers, prefetchBatches, workerUrl, onSkipped, ...rest } =
    options;
  // What is left after the loader's own options are the decoder's: plain data, which can be sent to a worker.
  const { startBatch = 0, cacheBytes = DEFAULT_CACHE_BYTES, ...decode } = rest;
  const batchesPerEpoch = training ? Math.floor(samples.length / batchSize) : Math.ceil(samples.length / batchSize);
  const pool = createDecodePool(workerUrl, workers, cacheBytes);
  const account = createSkippedAccount(samples, onSkipped);
  const corrupt = new Map<number, string>();
  const free: BatchMemory[] = [];
  const stops = new Set<SharedArrayBuffer>();
  const underWay = new Set<Promise<unknown>>();
  let closing: Promise<void> | undefined;

  const orders = new Map<number, Uint32Array>();
  const orderOf = (epoch: number): Uint32Array => {
    let order = orders.get(epoch);
    if (!order) {
      order = training
        ? permutation(samples.length, createRandom(seed, epoch))
        : Uint32Array.from({ length: samples.length }, (_, i) => i);
      // Batches come in order, so only the epoch that ends and the one that begins are in use together.
      orders.delete(epoch - 2);
      orders.set(epoch, order);
    }
    return order;
  };

  const takeMemory = (): BatchMemory =>
    free.pop() ?? {
      images: new SharedArrayBuffer(batchSize * options.imageSize ** 2 * 3 * Float32Array.BYTES_PER_ELEMENT),
      labels: new SharedArrayBuffer(batchSize * classCount * Float32Array.BYTES_PER_ELEMENT),
    };

  const startFilling = (index: number, stop: SharedArrayBuffer) => {
    const epoch = Math.floor(index / batchesPerEpoch);
    const start = (index % batchesPerEpoch) * batchSize;
    const memory = takeMemory();
    const order = orderOf(epoch);
    const request = { samples, classCount, batchSize, decode, training, seed, epoch, order, start };
    const filled = fillBatch({ ...request, pool, corrupt, stop }, memory);
    underWay.add(filled);
    // An error waits here, handled, until its batch's turn comes.
    filled.catch(() => undefined).finally(() => underWay.delete(filled));
    return { index, epoch, memory, filled };
  };

  async function* iterate(): AsyncGenerator<ImageBatch, void, void> {
    if (closing) {
      throw new MeshwrightError('INTERNAL', { place: 'image loader', expected: 'an open loader', got: 'a closed one' });
    }
    const stop = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
    stops.add(stop);
    const ahead: ReturnType<typeof startFilling>[] = [];
    const end = training ? Infinity : batchesPerEpoch;
    let next = startBatch;
    try {
      for (;;) {
        while (ahead.length <= prefetchBatches && next < end && !closing) ahead.push(startFilling(next++, stop));
        const head = ahead[0];
        const filled: FilledBatch | undefined = await head?.filled;
        if (!head || !filled || closing) return;
        account.enter(filled.skipped, corrupt);
        const { sampleIndices } = filled;
        if (sampleIndices.length > 0) {
          const images = new Float32Array(head.memory.images);
          const labels = new Float32Array(head.memory.labels);
          yield { images, labels, count: sampleIndices.length, sampleIndices, epoch: head.epoch, index: head.index };
        }
        ahead.shift();
        free.push(head.memory);
      }
    } finally {
      Atomics.store(new Int32Array(stop), 0, 1);
      stops.delete(stop);
      await Promise.allSettled(ahead.map(({ filled }) => filled));
      free.push(...ahead.map(({ memory }) => memory));
    }
  }

  return {
    batchesPerEpoch,
    skipped: account.images,
    [Symbol.asyncIterator]: iterate,
    close() {
      for (const stop of stops) Atomics.store(new Int32Array(stop), 0, 1);
      closing ??= Promise.allSettled([...underWay]).then(() => pool.close());
      return closing;
    },
  };
}
