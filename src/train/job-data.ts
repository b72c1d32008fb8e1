/** What a job trains on: images for a vision transformer, text for a decoder. */
import { MeshwrightError, unreachable } from '../errors.js';
import type { Job } from '../job/index.js';
import type { ModelConfig } from '../models/index.js';
import { openImages } from './image-source.js';
import type { TrainingData } from './source.js';
import { openText } from './text-source.js';

const IMAGES = {
  field: 'images',
  needs: 'a folder of class folders with images',
  hint: 'give --images DIR; `meshwright images DIR` draws a small set',
} as const;
const TEXT = {
  field: 'text',
  needs: 'a text file, or a folder of them',
  hint: 'give --text PATH; `meshwright text FILE` writes a small one',
} as const;

/** @throws MeshwrightError JOB_INVALID where the job does not name what its model needs, or names what it can't see */
function pathOf({ model, training }: Job, own: typeof IMAGES | typeof TEXT, kind: string): string {
  const other = own === IMAGES ? TEXT : IMAGES;
  const [path, foreign] = [training[own.field], training[other.field]];
  if (foreign !== undefined) {
    throw new MeshwrightError('JOB_INVALID', {
      place: `training.${other.field}`,
      expected: `training.${own.field}, since ${model.name} is ${kind}`,
      got: foreign,
      hint: own.hint,
    });
  }
  if (path !== undefined) return path;
  const { field, needs, hint } = own;
  throw new MeshwrightError('JOB_INVALID', { place: `training.${field}`, expected: needs, got: 'nothing', hint });
}

/**
 * Finds what a job trains on and checks that it fits.
 *
 * @throws MeshwrightError JOB_INVALID where the job names no data or data of the other kind, and as `openImages` and
 *   `openText`
 */
export async function openJobData(job: Job): Promise<TrainingData> {
  const model: ModelConfig = job.model;
  switch (model.family) {
    case 'vit':
      return openImages(job, model, pathOf(job, IMAGES, 'a vision transformer'));
    case 'decoder':
      return openText(job, model, pathOf(job, TEXT, 'a decoder'));
    default:
      return unreachable(model);
  }
}
