/**
 * Part of an RGB image to S×S normalized floats: one separable triangle filter for crops and whole images, enlarging
 * and shrinking. Not which part; that is drawn in crop.ts.
 */

/** An upright image in sRGB. */
export interface RgbImage {
  readonly width: number;
  readonly height: number;
  /** [height, width, 3] */
  readonly pixels: Uint8Array;
}

/** One axis of a resize: `length` pixels from `offset` on become `resizedLength`, of which S from `keptFrom` on are kept. */
export interface AxisView {
  readonly offset: number;
  readonly length: number;
  readonly resizedLength: number;
  readonly keptFrom: number;
}

/** What is seen of an image. The pixels beyond the two axes' ranges have no part in the result. */
export interface View {
  readonly x: AxisView;
  readonly y: AxisView;
  /** Left to right. */
  readonly isMirrored: boolean;
}

/** A value v from 0 to 255 becomes `v * scale[channel] + shift[channel]`. */
export interface Normalization {
  readonly scale: readonly [number, number, number];
  readonly shift: readonly [number, number, number];
}

/** Output i is the sum over t of `weights[i * tapCount + t]` times source pixel `first[i] + t`. */
interface Taps {
  readonly tapCount: number;
  readonly first: Int32Array;
  readonly weights: Float64Array;
}

/**
 * The triangle filter's weights: output i lies at source coordinate c = (i + 1/2) · length / resizedLength, and the
 * source pixel j, at j + 1/2, counts max(0, 1 - |j + 1/2 - c| / r), over the sum of these. The radius r is one source
 * pixel where the axis grows (bilinear) and one output pixel where it shrinks, so that no source pixel is passed over
 * (as Pillow's BILINEAR and torchvision's antialias=True).
 */
function triangleTaps(axis: AxisView, count: number): Taps {
  const step = axis.length / axis.resizedLength;
  const radius = Math.max(1, step);
  const first = new Int32Array(count);
  let tapCount = 0;
  for (let i = 0; i < count; i++) {
    const centre = (axis.keptFrom + i + 0.5) * step;
    // Only pixels less than a radius away: at a distance of one radius the weight is zero.
    const low = Math.max(0, Math.floor(centre - radius - 0.5) + 1);
    const end = Math.min(axis.length, Math.ceil(centre + radius - 0.5));
    first[i] = low;
    tapCount = Math.max(tapCount, end - low);
  }
  const weights = new Float64Array(count * tapCount);
  for (let i = 0; i < count; i++) {
    const centre = (axis.keptFrom + i + 0.5) * step;
    // The same number of taps for all keeps the loops over them simple; those too many have no weight.
    const low = Math.min(first[i]!, axis.length - tapCount);
    let total = 0;
    for (let t = 0; t < tapCount; t++) {
      const weight = Math.max(0, 1 - Math.abs(low + t + 0.5 - centre) / radius);
      weights[i * tapCount + t] = weight;
      total += weight;
    }
    for (let t = 0; t < tapCount; t++) weights[i * tapCount + t]! /= total;
    first[i] = low + axis.offset;
  }
  return { tapCount, first, weights };
}

/** Output row `i` of the vertical filter: `row` becomes the weighted sum of the pixels at `from`, one row of them per tap. */
function blendRows(pixels: Uint8Array, from: number, stride: number, taps: Taps, i: number, row: Float64Array): void {
  const { tapCount, weights } = taps;
  const length = row.length;
  const at = i * tapCount;
  let t = 2 - (tapCount & 1);
  // Two taps per pass over the row: half as many passes. The first pass, of one tap where their count is odd, sets.
  if (t === 1) {
    const a = weights[at]!;
    for (let k = 0; k < length; k++) row[k] = a * pixels[from + k]!;
  } else {
    const a = weights[at]!;
    const b = weights[at + 1]!;
    const below = from + stride;
    for (let k = 0; k < length; k++) row[k] = a * pixels[from + k]! + b * pixels[below + k]!;
  }
  for (; t < tapCount; t += 2) {
    const a = weights[at + t]!;
    const b = weights[at + t + 1]!;
    const above = from + t * stride;
    const below = above + stride;
    for (let k = 0; k < length; k++) row[k]! += a * pixels[above + k]! + b * pixels[below + k]!;
  }
}

/**
 * Resizes what `view` shows of the image to S×S, normalizes it and writes it to `into`. Sums are in float64, in an
 * order that depends on the view alone.
 *
 * @param size S, in pixels.
 * @param into [S,S,3], row-major, channels last.
 */
export function resample(
  image: RgbImage,
  view: View,
  size: number,
  { scale, shift }: Normalization,
  into: Float32Array,
): void {
  const columns = triangleTaps(view.x, size);
  const rows = triangleTaps(view.y, size);
  const { first, weights, tapCount } = columns;
  const [scaleR, scaleG, scaleB] = scale;
  const [shiftR, shiftG, shiftB] = shift;
  // Only what the kept columns draw on, which is less than the view where its sides are cut off.
  const left = first[0]!;
  const row = new Float64Array((first[size - 1]! + tapCount - left) * 3);
  const stride = image.width * 3;
  const step = view.isMirrored ? -3 : 3;
  // Rows first: their bytes are read in the order they lie in, and only one row of sums is ever held.
  for (let y = 0; y < size; y++) {
    blendRows(image.pixels, rows.first[y]! * stride + left * 3, stride, rows, y, row);
    let to = (y * size + (view.isMirrored ? size - 1 : 0)) * 3;
    let w = 0;
    for (let x = 0; x < size; x++) {
      let red = 0;
      let green = 0;
      let blue = 0;
      let from = (first[x]! - left) * 3;
      for (const end = w + tapCount; w < end; w++) {
        const weight = weights[w]!;
        red += weight * row[from]!;
        green += weight * row[from + 1]!;
        blue += weight * row[from + 2]!;
        from += 3;
      }
      into[to] = red * scaleR + shiftR;
      into[to + 1] = green * scaleG + shiftG;
      into[to + 2] = blue * scaleB + shiftB;
      to += step;
    }
  }
}
