/** Vision transformers by name. Shapes of the published ones: Table 1 of Dehghani et al. 2023 (ViT-22B). */
import type { VitConfig } from './vit-config.js';

/** The classical encoder: serial layers, biases everywhere, layer normalization (Dosovitskiy et al. 2021). */
const classical = {
  family: 'vit',
  patch: 14,
  imageSize: 224,
  channels: 3,
  pooling: 'attention',
  parallelLayers: false,
  queryKeyNorm: false,
  omitBiases: false,
  loss: 'sigmoid',
} as const;

/** ViT-22B's choices (its §2). */
const modern = { ...classical, parallelLayers: true, queryKeyNorm: true, omitBiases: true } as const;

export const VIT_PRESETS: readonly { readonly config: VitConfig; readonly about: string }[] = [
  {
    // The paper says 30k labels; 29,593 is the count of JFT-3B that ViT-G and ViT-e were trained on.
    config: { ...modern, name: 'vit-22b', width: 6144, depth: 48, mlpWidth: 24576, heads: 48, classes: 30000 },
    about: 'ViT-22B (Dehghani et al. 2023)',
  },
  {
    config: { ...classical, name: 'vit-e', width: 1792, depth: 56, mlpWidth: 15360, heads: 16, classes: 29593 },
    about: 'ViT-e (Chen et al. 2022)',
  },
  {
    config: { ...classical, name: 'vit-g', width: 1664, depth: 48, mlpWidth: 8192, heads: 16, classes: 29593 },
    about: 'ViT-G (Zhai et al. 2022)',
  },
  {
    config: {
      ...modern,
      name: 'vit-bench',
      width: 384,
      depth: 6,
      mlpWidth: 1536,
      heads: 6,
      classes: 100,
      pooling: 'mean',
    },
    about: 'trains on a CPU; the benchmark model',
  },
  {
    config: {
      ...modern,
      name: 'vit-tiny',
      width: 128,
      depth: 4,
      mlpWidth: 512,
      heads: 4,
      patch: 8,
      imageSize: 64,
      classes: 12,
      pooling: 'mean',
      loss: 'softmax',
    },
    about: 'trains on a CPU in a minute',
  },
];
