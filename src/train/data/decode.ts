/** One image file to upright RGB bytes. What is wrong with a file is a value here, so that a pool survives it. */
import { readFileSync } from 'node:fs';
import sharp from 'sharp';
import { MeshwrightError } from '../../errors.js';
import type { Normalization, RgbImage } from './resample.js';

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
  | { readonly ok: true; readonly path: string; readonly image: RgbImage }
  | { readonly ok: false; readonly path: string; readonly reason: string };

const GREY: Rgb = [0.5, 0.5, 0.5];
/** Mid-grey: transparent parts normalize to about zero, and both a black and a white drawing stay visible on it. */
const UNDER_TRANSPARENCY = '#808080';
/** How JPEG, PNG and WebP files begin, as Latin-1. A WebP's bytes 4 to 7 are its length. */
const SIGNATURES = [/^\xff\xd8\xff/, /^\x89PNG\r\n/, /^RIFF[^]{4}WEBP/];
const SIGNATURE_BYTES = 12;

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

/** Of the options' mean and deviation, for values from 0 to 255. */
export function normalizationOf({ mean = GREY, std = GREY }: DecodeOptions): Normalization {
  const [r, g, b] = std;
  return {
    scale: [1 / (255 * r), 1 / (255 * g), 1 / (255 * b)],
    shift: [-mean[0] / r, -mean[1] / g, -mean[2] / b],
  };
}

async function decode(path: string): Promise<RgbImage> {
  // In one go: the thread has nothing else to do meanwhile, and a small file costs a tenth of what promises cost.
  // From a buffer: given a path, libvips may answer from its cache after the file has changed.
  const file = readFileSync(path);
  // `error` refuses what is truncated but lets pass what decoders only warn about, such as stray bytes between JPEG
  // segments.
  const image = sharp(file, { failOn: 'error', autoOrient: true });
  const start = file.toString('latin1', 0, SIGNATURE_BYTES);
  // libvips is asked for the format only where it is to be named: that takes a quarter as long as decoding does.
  if (!SIGNATURES.some((signature) => signature.test(start))) {
    const { format } = await image.metadata();
    throw new Error(`a ${format} file; only JPEG, PNG and WebP are read`);
  }
  const { data, info } = await image
    .flatten({ background: UNDER_TRANSPARENCY })
    .toColourspace('srgb')
    .raw()
    .toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  if (channels !== 3 || data.length !== width * height * 3) {
    throw new Error(
      `decoded to ${width}x${height}x${channels} in ${data.length} bytes, not to three channels of bytes`,
    );
  }
  return { width, height, pixels: data };
}

/**
 * Reads and decodes a JPEG, PNG or WebP file, known by its first bytes, to sRGB. EXIF rotation is honoured, greyscale
 * becomes RGB, transparency is laid over mid-grey.
 *
 * @returns the image; or why the file could not be decoded. Nothing is thrown.
 */
export async function decodeFile(path: string): Promise<DecodeResult> {
  try {
    return { ok: true, path, image: await decode(path) };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { ok: false, path, reason: message.trim().replaceAll(/\s*\n\s*/g, '; ') };
  }
}
