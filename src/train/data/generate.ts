/** Writes a small labelled image set to train on where no data is at hand: drawn shapes as PNG files in class folders. */
import { mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import sharp from 'sharp';
import { MeshwrightError } from '../../errors.js';
import { DRAWN_CLASSES, drawImage, drawnClassName } from './draw.js';
import { createRandom } from '../../random.js';

export interface DatasetSettings {
  /** 1 to 144: every combination of 6 shapes, 4 textures and 6 colours. */
  readonly classCount: number;
  readonly trainImagesPerClass: number;
  readonly heldOutImagesPerClass: number;
  /** Width and height, in pixels; at least 8. */
  readonly imageSize: number;
  readonly seed: number;
}

export interface GeneratedDataset {
  /** Class folders with the images to train on. */
  readonly trainDir: string;
  /** The same class folders with other images. */
  readonly heldOutDir: string;
  /** Sorted, as `scanImageFolder` returns them. */
  readonly classes: readonly string[];
  /** Whether the folder was there already, from the same settings. */
  readonly reused: boolean;
}

/** Changes with the drawing, so that a set drawn differently is not taken for this one. */
const SCHEMA = 'meshwright/drawn-images@1';
const MARKER = 'dataset.json';

function checkSettings(settings: DatasetSettings): void {
  const ranges: [keyof DatasetSettings, number, number][] = [
    ['classCount', 1, DRAWN_CLASSES.length],
    ['trainImagesPerClass', 1, 1e6],
    ['heldOutImagesPerClass', 1, 1e6],
    ['imageSize', 8, 4096],
    ['seed', 0, Number.MAX_SAFE_INTEGER],
  ];
  for (const [name, low, high] of ranges) {
    const value = settings[name];
    if (Number.isInteger(value) && value >= low && value <= high) continue;
    const expected = `a whole number from ${low} to ${high}`;
    throw new MeshwrightError('JOB_INVALID', { place: name, expected, got: String(value) });
  }
}

function markerOf(settings: DatasetSettings, classes: readonly string[]): string {
  const { classCount, trainImagesPerClass, heldOutImagesPerClass, imageSize, seed } = settings;
  const document = { schema: SCHEMA, classCount, trainImagesPerClass, heldOutImagesPerClass, imageSize, seed, classes };
  return `${JSON.stringify(document, null, 2)}\n`;
}

/** Whether `dir` is there and holds this very set. @throws MeshwrightError RUN_EXISTS when it holds something else. */
async function isAlreadyThere(dir: string, marker: string): Promise<boolean> {
  const isThere = await stat(dir).then(
    () => true,
    () => false,
  );
  if (!isThere) return false;
  const found = await readFile(join(dir, MARKER), 'utf8').catch(() => undefined);
  if (found === marker) return true;
  throw new MeshwrightError('RUN_EXISTS', {
    place: dir,
    expected: 'no such folder, or the same image set from an earlier time',
    got: found === undefined ? `a folder or file without ${MARKER}` : 'an image set of other settings',
    hint: 'name another folder, or remove this one',
  });
}

async function writeImages(dir: string, settings: DatasetSettings): Promise<void> {
  const { imageSize, seed } = settings;
  const splits = [
    ['train', settings.trainImagesPerClass],
    ['held-out', settings.heldOutImagesPerClass],
  ] as const;
  for (const [splitIndex, [split, imagesPerClass]] of splits.entries()) {
    for (const [classIndex, kind] of DRAWN_CLASSES.slice(0, settings.classCount).entries()) {
      const folder = join(dir, split, drawnClassName(kind));
      await mkdir(folder, { recursive: true });
      for (let index = 0; index < imagesPerClass; index++) {
        const pixels = drawImage(kind, imageSize, createRandom(seed, splitIndex, classIndex, index));
        const image = sharp(pixels, { raw: { width: imageSize, height: imageSize, channels: 3 } });
        await image.png().toFile(join(folder, `${String(index).padStart(5, '0')}.png`));
      }
    }
  }
}

/**
 * Draws the set to `dir/train/<class>/*.png` and `dir/held-out/<class>/*.png`, or reuses it where the same settings
 * drew it before. The same settings give the same pixels. `dir` appears only when it is complete.
 *
 * @throws MeshwrightError JOB_INVALID for a setting out of range; RUN_EXISTS when `dir` is something else.
 */
export async function generateDataset(dir: string, settings: DatasetSettings): Promise<GeneratedDataset> {
  checkSettings(settings);
  const target = resolve(dir);
  const classes = DRAWN_CLASSES.slice(0, settings.classCount).map(drawnClassName).sort();
  const marker = markerOf(settings, classes);
  const dataset = { trainDir: join(target, 'train'), heldOutDir: join(target, 'held-out'), classes };
  if (await isAlreadyThere(target, marker)) return { ...dataset, reused: true };

  await mkdir(dirname(target), { recursive: true });
  // mkdtemp's folder is for its owner only; the one made inside it has the usual permissions.
  const temporary = await mkdtemp(join(dirname(target), `.${basename(target)}-`));
  const partial = join(temporary, 'set');
  try {
    await writeImages(partial, settings);
    await writeFile(join(partial, MARKER), marker);
    await rename(partial, target);
  } catch (error) {
    // Another process may have finished the same set first; its folder is as good as ours.
    if (await isAlreadyThere(target, marker)) return { ...dataset, reused: true };
    throw error;
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  return { ...dataset, reused: false };
}
