/** Small models for tests: every option of the builders is reachable, and a step takes milliseconds. */
import type { DecoderConfig, ModelConfig, VitConfig } from '../../src/models/index.js';

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

/** The Llama kind, with as many key and value heads as the largest model axis in tests; heads wider than the model. */
export const SMALL_DECODER: DecoderConfig = {
  family: 'decoder',
  name: 'small-decoder',
  width: 16,
  depth: 2,
  heads: 8,
  headWidth: 4,
  keyValueHeads: 4,
  mlpWidth: 24,
  gatedMlp: true,
  activation: 'silu',
  positions: 'rotary',
  ropeBase: 10000,
  norm: 'rms',
  biases: false,
  parallelLayers: false,
  jointProjections: true,
  tiedHead: false,
  vocabulary: 32,
  sequence: 8,
};

/** The kinds, and what no kind combines. */
export const DECODER_VARIANTS: Readonly<Record<string, DecoderConfig>> = {
  'as Llama': SMALL_DECODER,
  'as GPT': {
    ...SMALL_DECODER,
    keyValueHeads: 8,
    gatedMlp: false,
    activation: 'gelu',
    positions: 'learned',
    norm: 'layer',
    biases: true,
    tiedHead: true,
  },
  'as PaLM: parallel layers, one key and value head': {
    ...SMALL_DECODER,
    keyValueHeads: 1,
    norm: 'layer',
    parallelLayers: true,
    tiedHead: true,
  },
  'parallel layers, grouped queries, biases': { ...SMALL_DECODER, parallelLayers: true, norm: 'layer', biases: true },
  'as MaxText: parallel layers, attention and MLP projected apart': {
    ...SMALL_DECODER,
    keyValueHeads: 8,
    gatedMlp: false,
    parallelLayers: true,
    jointProjections: false,
    tiedHead: true,
  },
  'serial layers, one key and value head': { ...SMALL_DECODER, keyValueHeads: 1, biases: true, tiedHead: true },
  'an MLP narrower than the model': { ...SMALL_DECODER, mlpWidth: 8, gatedMlp: false },
};

export const ALL_VARIANTS: Readonly<Record<string, ModelConfig>> = { ...VARIANTS, ...DECODER_VARIANTS };
