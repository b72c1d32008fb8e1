/**
 * The 16-bit floats as they lie in memory, and their conversions. Nothing computes in them: they are decoded to
 * float32, which holds each of their values, and rounded to the nearest value, ties to even.
 */

/**
 * Elements are bit patterns, so that they are copied, cut and sent as those of any typed array. What a structured clone
 * of one gives is a plain Uint16Array.
 */
export abstract class HalfArray extends Uint16Array {
  abstract readonly dtype: 'bf16' | 'f16';

  override subarray(begin?: number, end?: number): this {
    return super.subarray(begin, end) as this;
  }

  override slice(begin?: number, end?: number): this {
    return super.slice(begin, end) as this;
  }
}

/** bfloat16: the upper half of a float32, with 8 bits of exponent and 7 of fraction. */
export class Bf16Array extends HalfArray {
  get dtype(): 'bf16' {
    return 'bf16';
  }
}

/** binary16 of IEEE 754, with 5 bits of exponent and 10 of fraction. */
export class F16Array extends HalfArray {
  get dtype(): 'f16' {
    return 'f16';
  }
}

const SIGN = 0x8000;
const MAGNITUDE32 = 0x7fffffff;
const INFINITY32 = 0x7f800000;
/** By how much the exponent's bias in a float32 is above that in a binary16, where a float32's exponent lies. */
const F16_BIAS = 112 << 23;
/** The smallest positive binary16. */
const F16_LEAST = 2 ** -24;
/** Half a unit beyond the largest binary16, 65504, as a float32: from here on numbers round to infinity. */
const F16_OVERFLOW = 0x477ff000;
/** 2⁻¹⁴ as a float32, the smallest normal binary16. */
const F16_NORMAL = 0x38800000;
const ONE_HALF32 = 0x3f000000;

/**
 * @param values written, and given back
 * @returns the values, exactly
 */
export function decode(
  halves: Bf16Array | F16Array,
  values: Float32Array = new Float32Array(halves.length),
): Float32Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  if (halves.dtype === 'bf16') {
    for (let i = 0; i < halves.length; i++) words[i] = halves[i]! << 16;
    return values;
  }
  for (let i = 0; i < halves.length; i++) {
    const bits = halves[i]!;
    const exponent = bits & 0x7c00;
    // Subnormal numbers are normal ones in float32; the largest exponent, of infinity and NaN, is twice as far away.
    if (exponent === 0) values[i] = (bits & SIGN ? -F16_LEAST : F16_LEAST) * (bits & 0x3ff);
    else {
      const moved = ((bits & 0x7fff) << 13) + (exponent === 0x7c00 ? 2 * F16_BIAS : F16_BIAS);
      words[i] = ((bits & SIGN) << 16) | moved;
    }
  }
  return values;
}

/** @param words bits of float32 numbers */
function encodeBf16(words: Uint32Array, target: Bf16Array): void {
  for (let i = 0; i < target.length; i++) {
    const word = words[i]!;
    // A NaN keeps its sign and upper fraction, but has to stay one.
    if ((word & MAGNITUDE32) > INFINITY32) target[i] = (word >>> 16) | 0x40;
    else target[i] = (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
}

/** @param words bits of float32 numbers */
function encodeF16(words: Uint32Array, target: F16Array): void {
  const value = new Float32Array(1);
  const bits = new Uint32Array(value.buffer);
  for (let i = 0; i < target.length; i++) {
    const word = words[i]!;
    const sign = (word >>> 16) & SIGN;
    const magnitude = word & MAGNITUDE32;
    if (magnitude > INFINITY32) target[i] = sign | 0x7e00;
    else if (magnitude >= F16_OVERFLOW) target[i] = sign | 0x7c00;
    else if (magnitude >= F16_NORMAL) {
      target[i] = sign | ((magnitude - F16_BIAS + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
    } else {
      // Next to ½ the float32 numbers are as far apart as the subnormal ones here, so that the sum is rounded right.
      bits[0] = magnitude;
      value[0]! += 0.5;
      target[i] = sign | (bits[0]! - ONE_HALF32);
    }
  }
}

/**
 * Bits of float32 numbers that round to the same half as the float64 ones do: those that are inexact get an odd last
 * bit, which no half has and which is no tie of two (Boldo and Melquiond 2008).
 */
function roundToOdd(values: ArrayLike<number>): Uint32Array {
  const singles = new Float32Array(values);
  const words = new Uint32Array(singles.buffer);
  for (let i = 0; i < singles.length; i++) {
    const [exact, rounded] = [values[i]!, singles[i]!];
    if (exact === rounded || Number.isNaN(exact)) continue;
    if (Math.abs(rounded) > Math.abs(exact)) words[i]!--;
    words[i]! |= 1;
  }
  return words;
}

/** Rounds each of the values once. */
export function encode(values: ArrayLike<number>, target: Bf16Array | F16Array): void {
  const words =
    values instanceof Float32Array
      ? new Uint32Array(values.buffer, values.byteOffset, values.length)
      : roundToOdd(values);
  if (target.dtype === 'bf16') encodeBf16(words, target);
  else encodeF16(words, target);
}
