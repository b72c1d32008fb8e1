/** Small models for tests: every option of the ViT builder is reachable, and a step takes milliseconds. */
import type { VitConfig } from '../../src/models/index.js';

export const SMALL_VIT: VitConfig = {
  family: 'vit',
  name: 'small',
  width: 16,
  depth: 3,
  mlpWidth: 32,
  heads: 4,
  patch: 4,
  imageSize: 8,
  channels: 3,
  classes: 6,
  pooling: 'attention',
  parallelLayers: true,
  queryKeyNorm: true,
  omitBiases: true,
  loss: 'sigmoid',
};

/** The paper's choices, each switched off alone, and all of them. */
export const VARIANTS: Readonly<Record<string, VitConfig>> = {
  'as ViT-22B': SMALL_VIT,
  'serial layers': { ...SMALL_VIT, parallelLayers: false },
  'no query-key norm': { ...SMALL_VIT, queryKeyNorm: false },
  'with biases': { ...SMALL_VIT, omitBiases: false },
  'mean pooling': { ...SMALL_VIT, pooling: 'mean' },
  'softmax loss': { ...SMALL_VIT, loss: 'softmax' },
  classical: { ...SMALL_VIT, parallelLayers: false, queryKeyNorm: false, omitBiases: false },
};
