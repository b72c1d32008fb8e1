/** Fills one batch: which samples its rows take, and what happens where one cannot be decoded. Not when, nor how many ahead. */
import type { ChunkItem } from './chunk.js';
import type { DecodeOptions } from './decode.js';
import type { ImageSample } from './folder.js';
import type { DecodePool } from './pool.js';

/** The memory of one batch, reused from batch to batch. */
export interface BatchMemory {
  /** float32 [B,S,S,3] */
  readonly images: SharedArrayBuffer;
  /** float32 [B,classes] */
  readonly labels: SharedArrayBuffer;
}

export interface BatchRequest {
  readonly samples: readonly ImageSample[];
  readonly classCount: number;
  readonly batchSize: number;
  readonly decode: DecodeOptions;
  readonly training: boolean;
  readonly seed: number;
  readonly epoch: number;
  /** Samples in the epoch's order. */
  readonly order: Uint32Array;
  /** Position in `order` of the batch's first row. */
  readonly start: number;
  readonly pool: DecodePool;
  /** Samples known not to decode, and why. Added to here: what a file is does not depend on who reads it first. */
  readonly corrupt: Map<number, string>;
  readonly stop: SharedArrayBuffer;
}

export interface FilledBatch {
  /** The sample of each valid row. */
  readonly sampleIndices: readonly number[];
  /** Samples that had a place here and could not be decoded, ascending. */
  readonly skipped: readonly number[];
}

/** Moves the rows that hold an image to the front, in order, and clears the others. Returns their samples. */
function closeGaps(request: BatchRequest, memory: BatchMemory, rows: readonly (number | undefined)[]): number[] {
  const imageLength = request.decode.imageSize ** 2 * 3;
  const images = new Float32Array(memory.images);
  const labels = new Float32Array(memory.labels).fill(0);
  const sampleIndices: number[] = [];
  for (const [row, sample] of rows.entries()) {
    if (sample === undefined) continue;
    const to = sampleIndices.length;
    if (to < row) images.copyWithin(to * imageLength, row * imageLength, (row + 1) * imageLength);
    labels[to * request.classCount + request.samples[sample]!.label] = 1;
    sampleIndices.push(sample);
  }
  images.fill(0, sampleIndices.length * imageLength);
  return sampleIndices;
}

/**
 * Decodes a batch into `memory`. In training, a sample that cannot be decoded is replaced by the next of the epoch's
 * order that can (it appears in its own place too), so that what a batch holds never depends on the batches before
 * it. In evaluation its row is left out and the later rows move up, so that no image counts twice.
 *
 * @returns undefined when stopped on the way.
 * @throws MeshwrightError INTERNAL when a worker fails.
 */
export async function fillBatch(request: BatchRequest, memory: BatchMemory): Promise<FilledBatch | undefined> {
  const { samples, order, corrupt, training, start, stop, decode } = request;
  const augmentation = training ? { seed: request.seed, epoch: request.epoch } : null;
  const skipped = new Set<number>();
  const size = Math.min(request.batchSize, order.length - start);
  const stepsPerRow = new Uint32Array(size);

  /** The first sample for the row, from where it has got to, that is not known to be corrupt. */
  const choose = (row: number): number | undefined => {
    for (; stepsPerRow[row]! < order.length; stepsPerRow[row]!++) {
      const sample = order[(start + row + stepsPerRow[row]!) % order.length]!;
      if (!corrupt.has(sample)) return sample;
      skipped.add(sample);
      if (!training) return undefined;
    }
    return undefined;
  };

  const rows = Array.from({ length: size }, (_, row) => choose(row));
  let pending = [...rows.keys()];
  while (pending.length > 0) {
    const items = pending.flatMap((row): ChunkItem[] => {
      const sample = rows[row];
      return sample === undefined ? [] : [{ path: samples[sample]!.path, sample, row }];
    });
    const failures = await request.pool.decode({ images: memory.images, stop, items, decode, augmentation });
    if (Atomics.load(new Int32Array(stop), 0) !== 0) return undefined;
    for (const { sample, reason } of failures) corrupt.set(sample, reason);
    for (const { row } of failures) rows[row] = choose(row);
    pending = failures.map(({ row }) => row);
  }
  const sampleIndices = closeGaps(request, memory, rows);
  return { sampleIndices, skipped: [...skipped].sort((a, b) => a - b) };
}
