import fc from 'fast-check';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { evaluationView, trainingView } from '../../../src/train/data/crop.js';
import { createRandom } from '../../../src/random.js';
import { resample } from '../../../src/train/data/resample.js';
import type { AxisView, Normalization, RgbImage, View } from '../../../src/train/data/resample.js';

/** Leaves values as they are, 0 to 255. */
const PLAIN: Normalization = { scale: [1, 1, 1], shift: [0, 0, 0] };

function resampled(image: RgbImage, view: View, size: number, normalization = PLAIN): Float32Array {
  const into = new Float32Array(size * size * 3).fill(NaN);
  resample(image, view, size, normalization, into);
  return into;
}

const noise = (width: number, height: number): RgbImage => {
  const random = createRandom(width, height);
  return { width, height, pixels: Uint8Array.from({ length: width * height * 3 }, () => random.below(256)) };
};

const whole = (length: number, resizedLength: number): AxisView => ({ offset: 0, length, resizedLength, keptFrom: 0 });

/** The definition, one output value at a time: every pixel of the view weighted by the product of two triangles. */
function defined(image: RgbImage, view: View, outX: number, outY: number, channel: number): number {
  const weightOf = (axis: AxisView, out: number, pixel: number) => {
    const step = axis.length / axis.resizedLength;
    const distance = Math.abs(pixel + 0.5 - (axis.keptFrom + out + 0.5) * step);
    return Math.max(0, 1 - distance / Math.max(1, step));
  };
  let [sum, total] = [0, 0];
  for (let y = 0; y < view.y.length; y++) {
    for (let x = 0; x < view.x.length; x++) {
      const weight = weightOf(view.y, outY, y) * weightOf(view.x, outX, x);
      sum += weight * image.pixels[((view.y.offset + y) * image.width + view.x.offset + x) * 3 + channel]!;
      total += weight;
    }
  }
  return sum / total;
}

const expectDefined = (image: RgbImage, view: View, size: number) => {
  const values = resampled(image, view, size, { scale: [1 / 255, 1 / 255, 1 / 255], shift: [0, 0, 0] });
  let worst = 0;
  for (const [i, value] of values.entries()) {
    const [x, y] = [Math.floor(i / 3) % size, Math.floor(i / 3 / size)];
    const want = defined(image, view, view.isMirrored ? size - 1 - x : x, y, i % 3) / 255;
    worst = Math.max(worst, Math.abs(value - want));
  }
  expect(worst).toBeLessThan(1e-5);
};

describe('resampling agrees with the definition of the triangle filter', () => {
  const side = fc.integer({ min: 1, max: 40 });
  const size = fc.integer({ min: 1, max: 14 });

  it('for random crops, enlarged and shrunk, mirrored and not', () => {
    fc.assert(
      fc.property(side, side, size, fc.integer(), (width, height, imageSize, seed) => {
        const options = { imageSize, cropArea: [0.01, 1] } as const;
        expectDefined(noise(width, height), trainingView(width, height, options, createRandom(seed)), imageSize);
      }),
    );
  });

  it('for the middle of the whole image, whatever its shape', () => {
    fc.assert(
      fc.property(side, side, size, fc.constantFrom(0.5, 0.875, 1), (width, height, imageSize, centralCrop) => {
        expectDefined(noise(width, height), evaluationView(width, height, { imageSize, centralCrop }), imageSize);
      }),
    );
  });
});

describe('resampling', () => {
  it('is the identity, to the bit, where a crop has the size asked', () => {
    const image = noise(20, 17);
    const axis = (offset: number): AxisView => ({ offset, length: 9, resizedLength: 9, keptFrom: 0 });
    const values = resampled(image, { x: axis(5), y: axis(3), isMirrored: false }, 9);
    const rows = Array.from({ length: 9 }, (_, y) => {
      const from = ((y + 3) * 20 + 5) * 3;
      return [...image.pixels.subarray(from, from + 9 * 3)];
    });
    expect([...values]).toEqual(rows.flat());
  });

  it('keeps a constant image constant, normalized', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 90 }), fc.integer({ min: 1, max: 90 }), (width, height) => {
        const pixels = new Uint8Array(width * height * 3).fill(51);
        const normalization = { scale: [1 / 255, 2 / 255, -1 / 255], shift: [0, 1, 0.5] } as const;
        const view = { x: whole(width, 7), y: whole(height, 7), isMirrored: false };
        const values = resampled({ width, height, pixels }, view, 7, normalization);
        for (const [i, value] of values.entries()) expect(value).toBeCloseTo([0.2, 1.4, 0.3][i % 3]!, 6);
      }),
    );
  });

  it('reads nothing beyond the crop', () => {
    const image = noise(30, 30);
    const view = trainingView(30, 30, { imageSize: 8, cropArea: [0.2, 0.3] }, createRandom(4));
    const { x, y } = view;
    const isInside = (at: number, { offset, length }: AxisView) => at >= offset && at < offset + length;
    const pixels = image.pixels.map((value, i) => {
      const pixel = Math.floor(i / 3);
      return isInside(pixel % 30, x) && isInside(Math.floor(pixel / 30), y) ? value : 255 - value;
    });
    expect(pixels).not.toEqual(image.pixels);
    expect(resampled({ ...image, pixels }, view, 8)).toEqual(resampled(image, view, 8));
  });

  it('mirrors left to right only', () => {
    const image = noise(21, 13);
    const view: View = { x: whole(21, 8), y: whole(13, 8), isMirrored: false };
    const [straight, mirrored] = [view, { ...view, isMirrored: true }].map((v) => resampled(image, v, 8));
    const back = straight!.map(
      (_, i) => mirrored![(Math.floor(i / 24) * 8 + 7 - (Math.floor(i / 3) % 8)) * 3 + (i % 3)]!,
    );
    expect(back).toEqual(straight);
  });

  // Flat at the edges, where libvips repeats the last pixels; shrunk, since what libvips enlarges it also shifts by a
  // fraction of a pixel.
  it.each([
    [100, 80, 32],
    [64, 64, 16],
    [500, 375, 224],
  ])('agrees with libvips within two levels of 255 on a smooth image, %i×%i to %i²', async (width, height, size) => {
    const pixels = new Uint8Array(width * height * 3);
    for (let i = 0; i < width * height; i++) {
      const a = Math.cos((Math.PI * ((i % width) + 0.5)) / width);
      const b = Math.cos((Math.PI * (Math.floor(i / width) + 0.5)) / height);
      pixels.set([127 - 120 * a, 127 - 120 * b, 127 + 60 * a * b].map(Math.round), i * 3);
    }
    const view = { x: whole(width, size), y: whole(height, size), isMirrored: false };
    const ours = resampled({ width, height, pixels }, view, size);
    const theirs = await sharp(pixels, { raw: { width, height, channels: 3 } })
      .resize(size, size, { fit: 'fill', kernel: 'linear' })
      .raw()
      .toBuffer();
    expect(theirs).toHaveLength(ours.length);
    const differences = ours.map((value, i) => Math.abs(value - theirs[i]!));
    expect(differences.reduce((most, value) => Math.max(most, value))).toBeLessThan(2);
  });
});
