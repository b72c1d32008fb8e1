import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { evaluationView, trainingView } from '../../../src/train/data/crop.js';
import { decodeFile, normalizationOf } from '../../../src/train/data/decode.js';
import type { DecodeOptions } from '../../../src/train/data/decode.js';
import { createRandom } from '../../../src/random.js';
import { resample } from '../../../src/train/data/resample.js';
import type { RgbImage, View } from '../../../src/train/data/resample.js';
import { picture, quarters, temporaryFolder, writeTo } from './images.js';

let dir: string;
beforeAll(async () => {
  dir = await temporaryFolder();
});

const whole: DecodeOptions = { imageSize: 8, centralCrop: 1 };

/** [S,S,3] of what `viewOf` shows of the file's image. */
async function pixelsOf(path: string, options: DecodeOptions, viewOf: (image: RgbImage) => View) {
  const result = await decodeFile(path);
  if (!result.ok) throw new Error(result.reason);
  const pixels = new Float32Array(options.imageSize ** 2 * 3);
  resample(result.image, viewOf(result.image), options.imageSize, normalizationOf(options), pixels);
  return pixels;
}

const forEvaluation = (path: string, options: DecodeOptions) =>
  pixelsOf(path, options, ({ width, height }) => evaluationView(width, height, options));

const forTraining = (path: string, options: DecodeOptions, ...keys: number[]) =>
  pixelsOf(path, options, ({ width, height }) => trainingView(width, height, options, createRandom(...keys)));

/** The colour at (x, y) of an 8×8 result, in whole numbers so that JPEG's loss does not show. */
const at = (pixels: Float32Array, x: number, y: number) =>
  [...pixels.subarray((y * 8 + x) * 3, (y * 8 + x) * 3 + 3)].map((value) => Math.round(value) + 0);

const RED = [1, -1, -1];
const GREEN = [-1, 1, -1];
const BLUE = [-1, -1, 1];

describe('decoding for evaluation', () => {
  it.each(['png', 'jpeg', 'webp'] as const)('reads %s as rows of RGB in [-1, 1]', async (format) => {
    const path = await writeTo(join(dir, `quarters.${format}`), await quarters(64, 64).toFormat(format).toBuffer());
    const pixels = await forEvaluation(path, whole);
    expect(pixels).toHaveLength(8 * 8 * 3);
    expect([at(pixels, 1, 1), at(pixels, 6, 1), at(pixels, 6, 6)]).toEqual([RED, GREEN, BLUE]);
  });

  it('keeps the middle of the longer side, unstretched', async () => {
    const wide = picture(96, 32, (x) => (x < 32 ? [255, 0, 0] : x < 64 ? [0, 255, 0] : [0, 0, 255]));
    const path = await writeTo(join(dir, 'wide.png'), await wide.png().toBuffer());
    const pixels = await forEvaluation(path, whole);
    expect([at(pixels, 1, 4), at(pixels, 6, 4)]).toEqual([GREEN, GREEN]);
  });

  it('normalizes with the mean and deviation of each channel', async () => {
    const path = await writeTo(
      join(dir, 'flat.png'),
      await picture(8, 8, () => [51, 102, 255])
        .png()
        .toBuffer(),
    );
    const options = { ...whole, mean: [0.2, 0.2, 0.5], std: [1, 0.5, 0.25] } as const;
    const pixels = await forEvaluation(path, options);
    expect(pixels[0]).toBeCloseTo(0);
    expect(pixels[1]).toBeCloseTo(0.4);
    expect(pixels[2]).toBeCloseTo(2);
  });

  it('honours EXIF rotation', async () => {
    // Orientation 6: the camera was turned, the image is to be shown a quarter turn clockwise.
    const jpeg = await quarters(64, 48).withMetadata({ orientation: 6 }).jpeg({ quality: 100 }).toBuffer();
    const path = await writeTo(join(dir, 'turned.jpg'), jpeg);
    const pixels = await forEvaluation(path, whole);
    expect([at(pixels, 4, 1), at(pixels, 1, 6), at(pixels, 6, 6)]).toEqual([RED, BLUE, GREEN]);
  });

  it('makes greyscale RGB and lays transparency over mid-grey', async () => {
    const grey = await picture(8, 8, () => [255, 0, 0])
      .greyscale()
      .png()
      .toBuffer();
    const [r, g, b] = await forEvaluation(await writeTo(join(dir, 'grey.png'), grey), whole);
    expect([g, b]).toEqual([r, r]);
    const clear = await picture(8, 8, () => [255, 0, 0, 0])
      .png()
      .toBuffer();
    const pixels = await forEvaluation(await writeTo(join(dir, 'clear.png'), clear), whole);
    for (const value of pixels.subarray(0, 3)) expect(value).toBeCloseTo(0, 1);
  });

  it('names the format of an image of another kind, whatever its extension', async () => {
    const path = await writeTo(join(dir, 'gif.png'), await quarters(8, 8).gif().toBuffer());
    expect(await decodeFile(path)).toMatchObject({ ok: false, reason: expect.stringContaining('a gif file') });
  });

  it('returns a reason, and throws nothing, for what is no whole image', async () => {
    const png = await quarters(64, 64).png().toBuffer();
    const files = [
      await writeTo(join(dir, 'half.png'), png.subarray(0, png.length >> 1)),
      await writeTo(join(dir, 'text.jpg'), 'not an image'),
      await writeTo(join(dir, 'empty.webp'), ''),
      await writeTo(join(dir, 'drawing.png'), '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
      join(dir, 'gone.png'),
    ];
    for (const path of files) {
      expect(await decodeFile(path)).toEqual({ ok: false, path, reason: expect.stringMatching(/./) });
    }
  });
});

describe('decoding for training', () => {
  let path: string;
  beforeAll(async () => {
    path = await writeTo(join(dir, 'training.png'), await quarters(40, 30).png().toBuffer());
  });
  const decode = (options: DecodeOptions, ...keys: number[]) => forTraining(path, options, ...keys);

  it('is the same for the same random numbers and differs for others', async () => {
    const options = { imageSize: 8 };
    expect(await decode(options, 1, 2)).toEqual(await decode(options, 1, 2));
    const all = await Promise.all([1, 2, 3, 4, 5, 6].map((key) => decode(options, key)));
    expect(new Set(all.map(String)).size).toBe(6);
  });

  it('mirrors left and right with the probability asked', async () => {
    const uncropped = { imageSize: 8, cropArea: [1, 1], cropAspect: [4 / 3, 4 / 3] } as const;
    const straight = await decode({ ...uncropped, flipProbability: 0 }, 1);
    const mirrored = await decode({ ...uncropped, flipProbability: 1 }, 1);
    expect([at(straight, 1, 1), at(straight, 6, 1), at(straight, 6, 6)]).toEqual([RED, GREEN, BLUE]);
    expect([at(mirrored, 6, 1), at(mirrored, 1, 1), at(mirrored, 1, 6)]).toEqual([RED, GREEN, BLUE]);
  });

  it('crops the part of the area asked: a hundredth of it mostly shows one colour', async () => {
    const tiny = { imageSize: 8, cropArea: [0.01, 0.01] } as const;
    const crops = await Promise.all(Array.from({ length: 20 }, (_, key) => decode(tiny, key)));
    const uniform = crops.filter((pixels) => String(at(pixels, 0, 0)) === String(at(pixels, 7, 7)));
    expect(uniform.length).toBeGreaterThan(10);
    expect(new Set(uniform.map((pixels) => String(at(pixels, 0, 0)))).size).toBeGreaterThan(1);
  });

  it('falls back to a central crop where no crop of the asked aspect and area fits', async () => {
    const strip = picture(200, 4, (x) => (x < 90 ? [255, 0, 0] : x < 110 ? [0, 255, 0] : [0, 0, 255]));
    const stripPath = await writeTo(join(dir, 'strip.png'), await strip.png().toBuffer());
    const options = { imageSize: 8, cropArea: [0.9, 1] } as const;
    const pixels = await forTraining(stripPath, options, 1);
    expect([at(pixels, 0, 0), at(pixels, 7, 7)]).toEqual([GREEN, GREEN]);
  });
});
