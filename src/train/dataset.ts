/** A folder of images as training sees it: `train/` and `held-out/` with class folders, or class folders themselves. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ImageFolder } from './data/folder.js';
import { scanImageFolder } from './data/folder.js';

export interface Dataset {
  readonly train: ImageFolder;
  readonly heldOut?: ImageFolder;
}

/** @throws MeshwrightError DATA_NOT_FOUND, DATA_NO_IMAGES, DATA_EMPTY_CLASS */
export async function openDataset(folder: string): Promise<Dataset> {
  if (!existsSync(join(folder, 'train'))) return { train: await scanImageFolder(folder) };
  const train = await scanImageFolder(join(folder, 'train'));
  const heldOut = join(folder, 'held-out');
  if (!existsSync(heldOut)) return { train };
  // A class may be missing among the held-out images; labels are those of the training set.
  return { train, heldOut: await scanImageFolder(heldOut, train.classes) };
}
