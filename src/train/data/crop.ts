/** Which part of an image a batch sees: drawn at random in training, the middle in evaluation. Not how it is resized. */
import type { DecodeOptions } from './decode.js';
import type { Random } from '../../random.js';
import type { AxisView, View } from './resample.js';

const CROP_ATTEMPTS = 10;

const clamp = (value: number, low: number, high: number): number => Math.max(low, Math.min(high, value));

/**
 * A crop as in Inception's training: an area and an aspect ratio (uniform in its logarithm) are drawn until they fit;
 * where ten do not, the largest central crop within the aspect range is taken. It is then mirrored at random.
 *
 * @param random decides crop and mirroring; the same stream gives the same view.
 */
export function trainingView(width: number, height: number, options: DecodeOptions, random: Random): View {
  const [leastArea, mostArea] = options.cropArea ?? [0.08, 1];
  const [leastAspect, mostAspect] = options.cropAspect ?? [3 / 4, 4 / 3];
  const view = (left: number, top: number, w: number, h: number): View => ({
    x: { offset: left, length: w, resizedLength: options.imageSize, keptFrom: 0 },
    y: { offset: top, length: h, resizedLength: options.imageSize, keptFrom: 0 },
    isMirrored: random.next() < (options.flipProbability ?? 0.5),
  });
  for (let attempt = 0; attempt < CROP_ATTEMPTS; attempt++) {
    const area = width * height * random.between(leastArea, mostArea);
    const aspect = Math.exp(random.between(Math.log(leastAspect), Math.log(mostAspect)));
    const w = Math.round(Math.sqrt(area * aspect));
    const h = Math.round(Math.sqrt(area / aspect));
    if (w < 1 || h < 1 || w > width || h > height) continue;
    return view(random.below(width - w + 1), random.below(height - h + 1), w, h);
  }
  const w = clamp(Math.round(height * mostAspect), 1, width);
  const h = clamp(Math.round(width / leastAspect), 1, height);
  return view((width - w) >> 1, (height - h) >> 1, w, h);
}

/** The shorter side resized to S / `centralCrop`, the longer in proportion, and the central S×S of that. */
export function evaluationView(width: number, height: number, options: DecodeOptions): View {
  const size = options.imageSize;
  const scale = size / (options.centralCrop ?? 0.875) / Math.min(width, height);
  const axis = (length: number): AxisView => {
    const resizedLength = Math.max(size, Math.round(length * scale));
    return { offset: 0, length, resizedLength, keptFrom: (resizedLength - size) >> 1 };
  };
  return { x: axis(width), y: axis(height), isMirrored: false };
}
