/** What a worker of the image loader does with one task: decodes several images straight into a batch's shared memory. */
import sharp from 'sharp';
import { decodeForEvaluation, decodeForTraining } from './decode.js';
import type { DecodeOptions } from './decode.js';
import { createRandom } from './random.js';

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
}

export interface DecodeFailure extends ChunkItem {
  readonly reason: string;
}

/** Decodes the chunk's images one after another into their rows. Returns those that could not be decoded. */
export async function decodeChunk(chunk: ImageChunk): Promise<DecodeFailure[]> {
  // The pool is the parallelism: one libvips thread per image, and no cache for files that are read once an epoch.
  sharp.concurrency(1);
  sharp.cache(false);
  const { decode, augmentation } = chunk;
  const stop = new Int32Array(chunk.stop);
  const pixelsPerImage = decode.imageSize ** 2 * 3;
  const failures: DecodeFailure[] = [];
  for (const item of chunk.items) {
    if (Atomics.load(stop, 0) !== 0) break;
    const offset = item.row * pixelsPerImage * Float32Array.BYTES_PER_ELEMENT;
    const into = new Float32Array(chunk.images, offset, pixelsPerImage);
    const result = augmentation
      ? await decodeForTraining(
          item.path,
          decode,
          createRandom(augmentation.seed, augmentation.epoch, item.sample),
          into,
        )
      : await decodeForEvaluation(item.path, decode, into);
    if (!result.ok) failures.push({ ...item, reason: result.reason });
  }
  return failures;
}
