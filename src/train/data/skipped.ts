/** The account of images that could not be decoded, and when so many are gone that training makes no sense. */
import { dirname } from 'node:path';
import { MeshwrightError } from '../../errors.js';
import type { ImageSample } from './folder.js';

export interface SkippedImage {
  readonly path: string;
  readonly reason: string;
}

export interface SkippedAccount {
  /** Each path once, in the order the batches met them. */
  readonly images: readonly SkippedImage[];
  /**
   * Enters samples that a batch had to skip; those known already are not entered again.
   *
   * @throws MeshwrightError DATA_NO_IMAGES when no sample is left, DATA_EMPTY_CLASS when a class has none left; from
   * then on, each time.
   */
  enter(skippedSamples: readonly number[], reasons: ReadonlyMap<number, string>): void;
}

export function createSkippedAccount(
  samples: readonly ImageSample[],
  onSkipped: ((image: SkippedImage) => void) | undefined,
): SkippedAccount {
  const images: SkippedImage[] = [];
  const paths = new Set<string>();
  const entered = new Set<number>();
  let emptied: { readonly sample: ImageSample; readonly reason: string } | undefined;
  const leftPerLabel = new Map<number, number>();
  for (const { label } of samples) leftPerLabel.set(label, (leftPerLabel.get(label) ?? 0) + 1);

  return {
    images,
    enter(skippedSamples, reasons) {
      for (const index of skippedSamples) {
        if (entered.has(index)) continue;
        entered.add(index);
        const sample = samples[index]!;
        const reason = reasons.get(index)!;
        const left = leftPerLabel.get(sample.label)! - 1;
        leftPerLabel.set(sample.label, left);
        if (left === 0) emptied ??= { sample, reason };
        if (paths.has(sample.path)) continue;
        paths.add(sample.path);
        const image = { path: sample.path, reason };
        images.push(image);
        onSkipped?.(image);
      }
      if (!emptied) return;
      const { sample, reason } = emptied;
      const folder = dirname(sample.path);
      const got = `only corrupt ones, such as ${sample.path} (${reason})`;
      const expected = 'at least one image that can be decoded';
      if (entered.size === samples.length) {
        throw new MeshwrightError('DATA_NO_IMAGES', { place: dirname(folder), expected, got });
      }
      throw new MeshwrightError('DATA_EMPTY_CLASS', { place: folder, expected, got });
    },
  };
}
