import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createImageCache } from '../../../src/train/data/cache.js';
import type { RgbImage } from '../../../src/train/data/resample.js';
import { bytes } from '../../../src/units.js';

const imageOf = (pixelCount: number): RgbImage => ({
  width: pixelCount,
  height: 1,
  pixels: new Uint8Array(pixelCount * 3),
});

describe('the cache of decoded images', () => {
  it('never holds more than its limit, and counts just the bytes of what it returns', () => {
    const offers = fc.array(fc.tuple(fc.nat(9), fc.nat(40)));
    fc.assert(
      fc.property(offers, fc.nat(200), (images, limit) => {
        const cache = createImageCache();
        for (const [name, pixelCount] of images) cache.offer(String(name), imageOf(pixelCount), bytes(limit));
        const kept = Array.from({ length: 10 }, (_, name) => cache.get(String(name))?.pixels.byteLength ?? 0);
        expect(cache.heldBytes).toBe(kept.reduce((sum, size) => sum + size, 0));
        expect(cache.heldBytes).toBeLessThanOrEqual(limit);
      }),
    );
  });

  it('keeps what came first, and takes a smaller image where a larger no longer fits', () => {
    const cache = createImageCache();
    const [first, small] = [imageOf(6), imageOf(2)];
    cache.offer('first', first, bytes(24));
    cache.offer('large', imageOf(3), bytes(24));
    cache.offer('small', small, bytes(24));
    expect(['first', 'large', 'small'].map((path) => cache.get(path))).toEqual([first, undefined, small]);
    expect(cache.get('first')).toBe(first);
  });
});
