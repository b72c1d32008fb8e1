/** The decoded images that one worker keeps, so that a file is decoded once and not once an epoch. */
import type { Bytes } from '../../units.js';
import type { RgbImage } from './resample.js';

export interface ImageCache {
  get(path: string): RgbImage | undefined;
  /** Keeps the image if with it the pixels kept are no more than `limit`; otherwise does nothing. */
  offer(path: string, image: RgbImage, limit: Bytes): void;
  readonly heldBytes: Bytes;
}

/**
 * Keeps what comes first and drops nothing for what comes later. An epoch wants every image once, so none is worth
 * more than another; and where not all fit, dropping the least recently used would lose each image before its turn
 * comes again, while a set that stays is there every epoch.
 */
export function createImageCache(): ImageCache {
  const images = new Map<string, RgbImage>();
  let heldBytes = 0;
  return {
    get: (path) => images.get(path),
    offer(path, image, limit) {
      const after = heldBytes + image.pixels.byteLength;
      if (images.has(path) || after > limit) return;
      images.set(path, image);
      heldBytes = after;
    },
    get heldBytes() {
      return heldBytes as Bytes;
    },
  };
}
