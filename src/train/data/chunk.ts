/** What a worker of the image loader does with one task: brings several images straight into a batch's shared memory. */
import sharp from 'sharp';
import type { Bytes } from '../../units.js';
import { createImageCache } from './cache.js';
import { evaluationView, trainingView } from './crop.js';
import { decodeFile, normalizationOf } from './decode.js';
import type { DecodeOptions, DecodeResult } from './decode.js';
import { createRandom } from '../../random.js';
import { resample } from './resample.js';

export interface ChunkItem {
  readonly path: string;
  /** Index of the sample in the data set. */
  readonly sample: number;
  /** Its row in the batch. */
  readonly row: number;
}

export interface ImageChunk {
  /** The batch's pixels, float32 [B,S,S,3]. */
  readonly images: SharedArrayBuffer;
  /** One int32: not zero once nobody wants the batch any more. */
  readonly stop: SharedArrayBuffer;
  readonly items: readonly ChunkItem[];
  readonly decode: DecodeOptions;
  /** What augmentation is drawn from, with each item's sample; null in evaluation, which draws nothing. */
  readonly augmentation: { readonly seed: number; readonly epoch: number } | null;
  /** The most decoded pixels that this worker may keep. */
  readonly cacheBytes: Bytes;
}

export interface DecodeFailure extends ChunkItem {
  readonly reason: string;
}

/** Of the thread: a worker serves one loader and ends with it, and its module's scope is all that outlives a task. */
const cache = createImageCache();

async function decodedImage(path: string, cacheBytes: Bytes): Promise<DecodeResult> {
  const kept = cache.get(path);
  if (kept) return { ok: true, path, image: kept };
  const result = await decodeFile(path);
  if (result.ok) cache.offer(path, result.image, cacheBytes);
  return result;
}

/**
 * Brings the chunk's images one after another into their rows: cropped, resized, normalized and, in training,
 * mirrored. Returns those that could not be decoded. Pixels do not depend on whether an image was in the cache.
 */
export async function decodeChunk(chunk: ImageChunk): Promise<DecodeFailure[]> {
  // The pool is the parallelism: one libvips thread per image. What is worth keeping is in the cache of this module.
  sharp.concurrency(1);
  sharp.cache(false);
  const { decode, augmentation, cacheBytes } = chunk;
  const stop = new Int32Array(chunk.stop);
  const normalization = normalizationOf(decode);
  const valuesPerImage = decode.imageSize ** 2 * 3;
  const failures: DecodeFailure[] = [];
  for (const item of chunk.items) {
    if (Atomics.load(stop, 0) !== 0) break;
    const result = await decodedImage(item.path, cacheBytes);
    if (!result.ok) {
      failures.push({ ...item, reason: result.reason });
      continue;
    }
    const { image } = result;
    const view = augmentation
      ? trainingView(
          image.width,
          image.height,
          decode,
          createRandom(augmentation.seed, augmentation.epoch, item.sample),
        )
      : evaluationView(image.width, image.height, decode);
    const offset = item.row * valuesPerImage * Float32Array.BYTES_PER_ELEMENT;
    const into = new Float32Array(chunk.images, offset, valuesPerImage);
    resample(image, view, decode.imageSize, normalization, into);
  }
  return failures;
}
