/** Jobs whose ops are timed to know a machine, whatever will run on it: both families of models, narrow and wide. */
import type { JobInput } from '../job/index.js';
import { lowerJob, resolveJob } from '../job/index.js';
import type { Program } from '../program/index.js';

const vit = (width: number, heads: number, batch: number, more: object = {}): JobInput => ({
  model: { preset: 'vit-tiny', width, mlpWidth: 4 * width, heads, depth: 1, classes: 16, ...more },
  batch,
});
const decoder = (preset: string, width: number, heads: number, sequence: number, batch: number): JobInput => ({
  model: {
    preset,
    width,
    mlpWidth: 4 * width,
    heads,
    depth: 1,
    sequence,
    keyValueHeads: preset === 'llama-tiny' ? 2 : heads,
  },
  batch,
});

const JOBS: readonly JobInput[] = [
  vit(64, 2, 4),
  vit(64, 2, 32),
  vit(128, 4, 8),
  vit(128, 4, 32, { pooling: 'attention' }),
  vit(256, 4, 8),
  vit(256, 4, 32, { parallelLayers: false, omitBiases: false }),
  vit(384, 6, 4, { imageSize: 128 }),
  vit(384, 6, 16, { loss: 'sigmoid' }),
  decoder('gpt-tiny', 64, 2, 64, 4),
  decoder('gpt-tiny', 128, 4, 128, 8),
  decoder('gpt-tiny', 256, 4, 64, 32),
  decoder('llama-tiny', 128, 4, 128, 8),
  decoder('llama-tiny', 256, 8, 64, 16),
];

/** Their programs on one rank. */
export const referencePrograms = (): Program[] =>
  JOBS.map((job) => lowerJob(resolveJob({ hardware: 'local', chips: 1, ...job }, () => true)));
