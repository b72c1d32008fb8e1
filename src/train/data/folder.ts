/** A labelled image set as folders: one folder per class, images directly inside it. Reads names, never pixels. */
import { stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { MeshwrightError } from '../../errors.js';
import { namesIn } from './names.js';

export interface ImageSample {
  readonly path: string;
  /** Index into the class list. */
  readonly label: number;
}

export interface ImageFolder {
  /** Class names in label order. */
  readonly classes: readonly string[];
  /** By class, then by file name. */
  readonly samples: readonly ImageSample[];
}

const IMAGE_EXTENSIONS = new Set(['.jpg', '.jpeg', '.png', '.webp']);

/**
 * Lists the images (JPEG, PNG, WebP by extension) of `dir/<class>/`. Labels follow the sorted class folders, or
 * `knownClasses` where given: pass the training set's classes for a held-out set, which may lack some of them.
 *
 * @throws MeshwrightError DATA_NOT_FOUND when `dir` is not a folder; DATA_NO_IMAGES when it has no class folder or no
 * image; DATA_EMPTY_CLASS when a class folder has no image, or is not among `knownClasses`.
 */
export async function scanImageFolder(dir: string, knownClasses?: readonly string[]): Promise<ImageFolder> {
  const isFolder = await stat(dir).then(
    (found) => found.isDirectory(),
    () => undefined,
  );
  if (isFolder !== true) {
    const got = isFolder === undefined ? 'nothing there' : 'a file';
    throw new MeshwrightError('DATA_NOT_FOUND', { place: dir, expected: 'a folder with one folder per class', got });
  }
  const folders = await namesIn(dir, 'folder');
  const classes = knownClasses ?? folders;
  const samples: ImageSample[] = [];
  const empty: string[] = [];
  for (const folder of folders) {
    const label = classes.indexOf(folder);
    if (label < 0) {
      throw new MeshwrightError('DATA_EMPTY_CLASS', {
        place: join(dir, folder),
        expected: 'a class that the training set has images of',
        got: folder,
        hint: 'remove the folder, or add the class to the training set',
      });
    }
    const images = (await namesIn(join(dir, folder), 'file')).filter((name) =>
      IMAGE_EXTENSIONS.has(extname(name).toLowerCase()),
    );
    if (images.length === 0) empty.push(folder);
    for (const image of images) samples.push({ path: join(dir, folder, image), label });
  }
  if (samples.length === 0) {
    throw new MeshwrightError('DATA_NO_IMAGES', {
      place: dir,
      expected: 'class folders with JPEG, PNG or WebP images',
      got: folders.length === 0 ? 'no class folders' : `${folders.length} class folders without images`,
    });
  }
  if (empty.length > 0) {
    throw new MeshwrightError('DATA_EMPTY_CLASS', {
      place: join(dir, empty[0]!),
      expected: 'at least one JPEG, PNG or WebP image',
      got: empty.length === 1 ? 'none' : `none, as in ${empty.length - 1} more: ${empty.slice(1, 6).join(', ')}`,
      hint: 'add images, or remove the folder',
    });
  }
  return { classes, samples };
}
