/** A folder of images as training sees it: `train/` and `held-out/` with class folders, or class folders themselves. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { MeshwrightError } from '../errors.js';
import type { Job } from '../job/index.js';
import type { ModelConfig, VitConfig } from '../models/index.js';
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

/** @throws MeshwrightError JOB_INVALID where the model does not see images */
export function requireVision(model: ModelConfig): VitConfig {
  if (model.family === 'vit') return model;
  throw new MeshwrightError('JOB_INVALID', {
    place: 'model',
    expected: 'a vision transformer, since only images can be loaded to train on',
    got: `${model.name}, a ${model.family}`,
    hint: '`simulate` and `plan` answer for it',
  });
}

/**
 * The images that a job trains on.
 *
 * @throws MeshwrightError JOB_INVALID where the model is of text, where the job names no images, or is for others (classes, a batch of more than there
 *   are); and as `openDataset`
 */
export async function openJobImages({ batch, training, ...job }: Job): Promise<Dataset> {
  const model = requireVision(job.model);
  if (training.images === undefined) {
    throw new MeshwrightError('JOB_INVALID', {
      place: 'training.images',
      expected: 'a folder of class folders with images',
      got: 'nothing',
      hint: 'give --images DIR; `meshwright images DIR` draws a small set',
    });
  }
  const dataset = await openDataset(training.images);
  if (model.channels !== 3) {
    throw new MeshwrightError('JOB_INVALID', {
      place: 'model.channels',
      expected: '3, red, green and blue, to train on images',
      got: String(model.channels),
    });
  }
  const { classes, samples } = dataset.train;
  if (classes.length !== model.classes) {
    throw new MeshwrightError('JOB_INVALID', {
      place: 'model.classes',
      expected: `${classes.length}, the classes of ${training.images}`,
      got: String(model.classes),
    });
  }
  if (batch > samples.length) {
    throw new MeshwrightError('JOB_INVALID', {
      place: 'batch',
      expected: `at most the ${samples.length} images there are to train on`,
      got: String(batch),
    });
  }
  return dataset;
}
