/** One image file to normalized pixels. What is wrong with a file is a value here, so that a pool survives it. */
import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import type { Sharp } from 'sharp';
import { MeshwrightError } from '../../errors.js';
import type { Random } from './random.js';

export type Rgb = readonly [red: number, green: number, blue: number];

export interface DecodeOptions {
  /** Width and height of the result, in pixels (S). */
  readonly imageSize: number;
  /** Subtracted from values scaled to [0, 1]. Default 0.5 each. */
  readonly mean?: Rgb;
  /** Divided by, after the mean is subtracted. Default 0.5 each: values lie in [-1, 1]. */
  readonly std?: Rgb;
  /** Training: the part of the image's area that a crop covers, [least, most]. Default [0.08, 1] (Inception). */
  readonly cropArea?: readonly [number, number];
  /** Training: a crop's width over height before it is resized, [least, most]. Default [3/4, 4/3]. */
  readonly cropAspect?: readonly [number, number];
  /** Training: how often an image is mirrored left to right, 0 to 1. Default 0.5. */
  readonly flipProbability?: number;
  /** Evaluation: the part of the shorter side that the central crop keeps. Default 0.875 (224 of 256). */
  readonly centralCrop?: number;
}

export type DecodeResult =
  | { readonly ok: true; readonly path: string; /** [S,S,3] */ readonly pixels: Float32Array }
  | { readonly ok: false; readonly path: string; readonly reason: string };

/** In pixels of the upright image. */
interface Crop {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

interface UprightImage {
  readonly image: Sharp;
  readonly width: number;
  readonly height: number;
}

const GREY: Rgb = [0.5, 0.5, 0.5];
/** Mid-grey: transparent parts normalize to about zero, and both a black and a white drawing stay visible on it. */
const UNDER_TRANSPARENCY = '#808080';
const FORMATS: ReadonlySet<string> = new Set(['jpeg', 'png', 'webp']);
const CROP_ATTEMPTS = 10;

const clamp = (value: number, low: number, high: number): number => Math.max(low, Math.min(high, value));

/** @throws MeshwrightError JOB_INVALID for an option out of its range, which would make every image look corrupt. */
export function checkDecodeOptions(options: DecodeOptions): void {
  const {
    cropArea = [1, 1],
    cropAspect = [1, 1],
    flipProbability = 0,
    centralCrop = 1,
    std = GREY,
    mean = GREY,
  } = options;
  const isRange = ([least, most]: readonly [number, number], end: number) => 0 < least && least <= most && most <= end;
  const size = options.imageSize;
  const rules: [keyof DecodeOptions, boolean, string][] = [
    ['imageSize', Number.isSafeInteger(size) && size >= 1, 'a whole number of at least 1'],
    ['mean', mean.length === 3 && mean.every(Number.isFinite), 'three numbers'],
    ['std', std.length === 3 && std.every((value) => value > 0), 'three numbers above 0'],
    ['cropArea', isRange(cropArea, 1), 'two rising numbers above 0 and at most 1'],
    ['cropAspect', isRange(cropAspect, Number.MAX_VALUE), 'two rising numbers above 0'],
    ['flipProbability', flipProbability >= 0 && flipProbability <= 1, 'a number from 0 to 1'],
    ['centralCrop', centralCrop > 0 && centralCrop <= 1, 'a number above 0 and at most 1'],
  ];
  for (const [place, holds, expected] of rules) {
    if (!holds) throw new MeshwrightError('JOB_INVALID', { place, expected, got: JSON.stringify(options[place]) });
  }
}

async function openUpright(path: string): Promise<UprightImage> {
  // From a buffer: given a path, libvips may answer from its cache after the file has changed. `error` refuses what
  // is truncated but lets pass what decoders only warn about, such as stray bytes between JPEG segments.
  const image = sharp(await readFile(path), { failOn: 'error', autoOrient: true });
  const { format, autoOrient } = await image.metadata();
  if (!FORMATS.has(format)) throw new Error(`a ${format} file; only JPEG, PNG and WebP are read`);
  return { image, ...autoOrient };
}

/**
 * A random crop as in Inception's training: an area and an aspect ratio (uniform in its logarithm) are drawn until
 * they fit; where ten do not, the largest central crop within the aspect range is taken.
 */
function randomCrop(width: number, height: number, options: DecodeOptions, random: Random): Crop {
  const [leastArea, mostArea] = options.cropArea ?? [0.08, 1];
  const [leastAspect, mostAspect] = options.cropAspect ?? [3 / 4, 4 / 3];
  for (let attempt = 0; attempt < CROP_ATTEMPTS; attempt++) {
    const area = width * height * random.between(leastArea, mostArea);
    const aspect = Math.exp(random.between(Math.log(leastAspect), Math.log(mostAspect)));
    const w = Math.round(Math.sqrt(area * aspect));
    const h = Math.round(Math.sqrt(area / aspect));
    if (w < 1 || h < 1 || w > width || h > height) continue;
    return { left: random.below(width - w + 1), top: random.below(height - h + 1), width: w, height: h };
  }
  const w = clamp(Math.round(height * mostAspect), 1, width);
  const h = clamp(Math.round(width / leastAspect), 1, height);
  return { left: (width - w) >> 1, top: (height - h) >> 1, width: w, height: h };
}

/** Reads RGB bytes, normalizes them and writes them to `into`, mirrored left to right if asked. */
async function writePixels(image: Sharp, options: DecodeOptions, isFlipped: boolean, into: Float32Array) {
  const size = options.imageSize;
  const { data, info } = await image
    .flatten({ background: UNDER_TRANSPARENCY })
    .toColourspace('srgb')
    .raw()
    .toBuffer({ resolveWithObject: true });
  if (info.channels !== 3 || data.length !== size * size * 3) {
    throw new Error(`decoded to ${info.width}x${info.height}x${info.channels}, not ${size}x${size}x3`);
  }
  const [mean, std] = [options.mean ?? GREY, options.std ?? GREY];
  const scale = std.map((deviation) => 1 / (255 * deviation));
  const offset = mean.map((value, channel) => -value / std[channel]!);
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      const from = (row * size + column) * 3;
      const to = (row * size + (isFlipped ? size - 1 - column : column)) * 3;
      for (let channel = 0; channel < 3; channel++) {
        into[to + channel] = data[from + channel]! * scale[channel]! + offset[channel]!;
      }
    }
  }
}

async function asResult(path: string, pixels: Float32Array, decode: () => Promise<void>): Promise<DecodeResult> {
  try {
    await decode();
    return { ok: true, path, pixels };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { ok: false, path, reason: message.trim().replaceAll(/\s*\n\s*/g, '; ') };
  }
}

/**
 * Decodes for training: a random crop (area and aspect within the options' ranges) resized to S×S, mirrored at
 * random. EXIF rotation is honoured, greyscale becomes RGB, transparency is laid over mid-grey.
 *
 * @param random decides crop and mirroring; the same stream gives the same pixels.
 * @param into where to write, [S,S,3]; a new array when left out.
 * @returns pixels `[S,S,3]`, row-major, channels last; or why the file could not be decoded. Nothing is thrown.
 */
export function decodeForTraining(
  path: string,
  options: DecodeOptions,
  random: Random,
  into: Float32Array = new Float32Array(options.imageSize ** 2 * 3),
): Promise<DecodeResult> {
  return asResult(path, into, async () => {
    const { image, width, height } = await openUpright(path);
    const crop = randomCrop(width, height, options, random);
    const isFlipped = random.next() < (options.flipProbability ?? 0.5);
    const resized = image.extract(crop).resize(options.imageSize, options.imageSize, { fit: 'fill', kernel: 'linear' });
    await writePixels(resized, options, isFlipped, into);
  });
}

/**
 * Decodes for evaluation: the shorter side is resized to S / `centralCrop` and the central S×S is kept. Colours and
 * rotation as in `decodeForTraining`.
 *
 * @param into where to write, [S,S,3]; a new array when left out.
 * @returns pixels `[S,S,3]`, row-major, channels last; or why the file could not be decoded. Nothing is thrown.
 */
export function decodeForEvaluation(
  path: string,
  options: DecodeOptions,
  into: Float32Array = new Float32Array(options.imageSize ** 2 * 3),
): Promise<DecodeResult> {
  return asResult(path, into, async () => {
    const size = options.imageSize;
    const { image, width, height } = await openUpright(path);
    const scale = size / (options.centralCrop ?? 0.875) / Math.min(width, height);
    const [w, h] = [Math.max(size, Math.round(width * scale)), Math.max(size, Math.round(height * scale))];
    const cropped = image
      .resize(w, h, { fit: 'fill', kernel: 'linear' })
      .extract({ left: (w - size) >> 1, top: (h - size) >> 1, width: size, height: size });
    await writePixels(cropped, options, false, into);
  });
}
