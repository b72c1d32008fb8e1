import type { Numbers } from '../tensors.js';
import type { ReferenceKernel } from './kernel.js';
import { rows } from './kernel.js';

/** Σ over the local width of x and x², over the whole width: [..., 1] or, centered, [..., 2]. */
export const moments: ReferenceKernel<'moments'> = ({
  operands: [x],
  types: [type],
  attributes: { centered, width: whole },
}) => {
  const { count, width } = rows(type!);
  const size = centered ? 2 : 1;
  const result = new Float64Array(count * size);
  for (let row = 0; row < count; row++) {
    let total = 0;
    let squares = 0;
    for (let i = row * width; i < (row + 1) * width; i++) {
      total += x![i]!;
      squares += x![i]! ** 2;
    }
    if (centered) result[row * size] = total / whole;
    result[row * size + size - 1] = squares / whole;
  }
  return [result];
};

/** d E[x]/dx = 1/width and d E[x²]/dx = 2x/width. */
export const moments_backward: ReferenceKernel<'moments_backward'> = ({
  operands: [x, cotangent],
  types: [type],
  attributes: { centered, width: whole },
}) => {
  const { count, width } = rows(type!);
  const size = centered ? 2 : 1;
  const result = new Float64Array(count * width);
  for (let row = 0; row < count; row++) {
    const ofMean = centered ? cotangent![row * size]! : 0;
    const ofSquare = cotangent![row * size + size - 1]!;
    for (let i = row * width; i < (row + 1) * width; i++) result[i] = (ofMean + 2 * x![i]! * ofSquare) / whole;
  }
  return [result];
};

/** A row's mean (0 where not centered) and 1/√(variance + ε). */
function statistics(
  moments: Numbers,
  row: number,
  { centered, epsilon }: { centered: boolean; epsilon: number },
): { mean: number; inverse: number } {
  const mean = centered ? moments[row * 2]! : 0;
  const square = centered ? moments[row * 2 + 1]! : moments[row]!;
  // E[x²] − E[x]² is not negative but for rounding.
  return { mean, inverse: 1 / Math.sqrt(Math.max(0, square - mean * mean) + epsilon) };
}

export const normalize: ReferenceKernel<'normalize'> = ({ operands, types: [type], attributes }) => {
  const [x, moments, gain, bias] = operands as [Numbers, Numbers, Numbers, Numbers | undefined];
  const { count, width } = rows(type!);
  const result = new Float64Array(count * width);
  for (let row = 0; row < count; row++) {
    const { mean, inverse } = statistics(moments, row, attributes);
    for (let d = 0; d < width; d++) {
      result[row * width + d] = (x[row * width + d]! - mean) * inverse * gain[d]! + (bias?.[d] ?? 0);
    }
  }
  return [result];
};

export const normalize_backward_input: ReferenceKernel<'normalize_backward_input'> = ({
  operands: [dy, moments, gain],
  types: [type],
  attributes,
}) => {
  const { count, width } = rows(type!);
  const result = new Float64Array(count * width);
  for (let row = 0; row < count; row++) {
    const { inverse } = statistics(moments!, row, attributes);
    for (let d = 0; d < width; d++) result[row * width + d] = dy![row * width + d]! * gain![d]! * inverse;
  }
  return [result];
};

/**
 * With r = (v + ε)^(−½) and y = (x − μ)·r·g + b: dr/dv = −r³/2, and, centered, v = E[x²] − μ², so that μ acts through
 * the subtraction (−r·Σ dy·g) and through v (−2μ).
 */
export const normalize_backward_moments: ReferenceKernel<'normalize_backward_moments'> = ({
  operands: [dy, x, moments, gain],
  types: [type],
  attributes,
}) => {
  const { count, width } = rows(type!);
  const size = attributes.centered ? 2 : 1;
  const result = new Float64Array(count * size);
  for (let row = 0; row < count; row++) {
    const { mean, inverse } = statistics(moments!, row, attributes);
    let total = 0;
    let product = 0;
    for (let d = 0; d < width; d++) {
      const scaled = dy![row * width + d]! * gain![d]!;
      total += scaled;
      product += scaled * (x![row * width + d]! - mean);
    }
    const ofVariance = (-(inverse ** 3) / 2) * product;
    if (attributes.centered) result[row * size] = -inverse * total - 2 * mean * ofVariance;
    result[row * size + size - 1] = ofVariance;
  }
  return [result];
};

export const normalize_backward_gain: ReferenceKernel<'normalize_backward_gain'> = ({
  operands: [dy, x, moments],
  types: [type],
  attributes,
}) => {
  const { count, width } = rows(type!);
  const result = new Float64Array(width);
  for (let row = 0; row < count; row++) {
    const { mean, inverse } = statistics(moments!, row, attributes);
    for (let d = 0; d < width; d++) result[d]! += dy![row * width + d]! * (x![row * width + d]! - mean) * inverse;
  }
  return [result];
};
