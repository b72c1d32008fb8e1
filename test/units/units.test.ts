import { describe, expect, test } from 'vitest';
import { bytes, formatBytes, formatSeconds, parseQuantity, seconds } from '../../src/units.js';

describe('a quantity', () => {
  test.each([
    ['1.2 TB/s', 'bytesPerSecond', 1.2e12],
    ['32 GiB', 'bytes', 32 * 2 ** 30],
    ['275 TFLOP/s', 'flopsPerSecond', 2.75e14],
    ['20 us', 'time', 2e-5],
    ['1e-3 s', 'time', 1e-3],
    ['192 W', 'power', 192],
  ] as const)('%s reads as %s', (text, dimension, value) => {
    expect(parseQuantity(text, dimension, 'here')).toBeCloseTo(value, 12);
  });

  test.each([
    ['12', 'time'],
    [12, 'bytes'],
    ['-1 GB', 'bytes'],
    ['1 GB', 'time'],
    ['1 gb', 'bytes'],
    ['', 'time'],
    [undefined, 'time'],
  ] as const)('%s as %s is refused, with the place and the units to choose from', (text, dimension) => {
    expect(() => parseQuantity(text, dimension, 'file.yaml:3')).toThrow(
      /QUANTITY_INVALID at file\.yaml:3: expected .* unit \(/,
    );
  });

  test('is printed in the unit a person would take', () => {
    expect(formatSeconds(seconds(0.0123))).toBe('12.3 ms');
    expect(formatBytes(bytes(34.4e9))).toBe('34.4 GB');
    expect(formatSeconds(seconds(0))).toBe('0 ns');
  });
});
