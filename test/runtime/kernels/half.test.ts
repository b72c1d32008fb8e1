import { describe, expect, it } from 'vitest';
import { Bf16Array, decode, encode, F16Array } from '../../../src/runtime/kernels/half.js';

const FORMATS = [
  { name: 'bf16', kind: Bf16Array, fractionBits: 7, bias: 127, infinity: 0x7f80 },
  { name: 'f16', kind: F16Array, fractionBits: 10, bias: 15, infinity: 0x7c00 },
] as const;

const PATTERNS = Array.from({ length: 2 ** 16 }, (_, bits) => bits);

describe.each(FORMATS)('$name', ({ kind, fractionBits, bias, infinity }) => {
  const rounded = (values: ArrayLike<number>): number[] => {
    const target = new kind(values.length);
    encode(values, target);
    return [...target];
  };
  const values = decode(kind.from(PATTERNS) as InstanceType<typeof kind>);
  /** The positive finite patterns with the one after each, which may be infinity. */
  const neighbours = PATTERNS.filter((bits) => bits < infinity).map((bits) => ({ bits, next: bits + 1 }));
  /** What infinity would be if it were a number: where rounding to it is decided. */
  const after = (next: number): number => (next === infinity ? 2 ** (bias + 1) : values[next]!);

  it('decodes each of the 65,536 patterns to what its fields say', () => {
    const expected = PATTERNS.map((bits) => {
      const sign = bits & 0x8000 ? -1 : 1;
      const exponent = (bits & infinity) >> fractionBits;
      const fraction = (bits & (2 ** fractionBits - 1)) / 2 ** fractionBits;
      if ((bits & infinity) === infinity) return fraction === 0 ? sign * Infinity : NaN;
      return sign * (exponent === 0 ? fraction * 2 ** (1 - bias) : (1 + fraction) * 2 ** (exponent - bias));
    });
    expect(values).toEqual(Float32Array.from(expected));
  });

  it('encodes each value to the pattern it came from, from float32 and from float64', () => {
    for (const source of [values, Float64Array.from(values)]) {
      rounded(source).forEach((bits, pattern) => {
        if (!Number.isNaN(values[pattern])) expect(bits).toBe(pattern);
      });
    }
  });

  it('keeps NaN a NaN', () => {
    const bits = rounded(values).filter((_, pattern) => Number.isNaN(values[pattern]));
    expect(bits.length).toBe(2 * (2 ** fractionBits - 1));
    for (const one of bits) expect(one & 0x7fff).toBeGreaterThan(infinity);
  });

  it('rounds what lies half way to the even neighbour, of either sign', () => {
    const halfWay = neighbours.map(({ bits, next }) => (values[bits]! + after(next)) / 2);
    const even = neighbours.map(({ bits, next }) => (bits % 2 === 0 ? bits : next));
    for (const source of [Float32Array.from(halfWay), Float64Array.from(halfWay)]) {
      expect(rounded(source)).toEqual(even);
      expect(rounded(source.map((value) => -value))).toEqual(even.map((bits) => bits | 0x8000));
    }
  });

  it('rounds what lies a hair to one side of half way to that side, once', () => {
    // As near as a float64 comes, which a float32 would take for half way.
    const beside = (by: number) =>
      neighbours.map(({ bits, next }) => ((values[bits]! + after(next)) / 2) * (1 + by * 2 ** -52));
    expect(rounded(beside(1))).toEqual(neighbours.map(({ next }) => next));
    expect(rounded(beside(-1))).toEqual(neighbours.map(({ bits }) => bits));
  });

  it('rounds what is beyond float32 to infinity and what is below it to zero', () => {
    expect(rounded([1e300, -1e300, 1e-300, -1e-300])).toEqual([infinity, infinity | 0x8000, 0, 0x8000]);
  });

  it('gives arrays of its kind when it is cut', () => {
    const halves = kind.from([1, 2, 3]);
    expect(halves.subarray(1)).toBeInstanceOf(kind);
    expect(halves.slice(1)).toEqual(kind.from([2, 3]));
  });
});
