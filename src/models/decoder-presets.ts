/**
 * Decoders by name, of the published shapes. GPT's vocabulary of 50,257 is padded to 50,304 so that it divides over up to
 * 128 chips, as Megatron-LM does (Shoeybi et al. 2019, §5.2: to a multiple of 128); no target is ever one of the padding.
 */
import type { DecoderConfig } from './decoder-config.js';

const GPT_VOCABULARY = 50304;

/** Pre-norm layers with biases, learned positions, tied head (Radford et al. 2019; Brown et al. 2020, §2.1). */
const gpt = {
  family: 'decoder',
  gatedMlp: false,
  activation: 'gelu',
  positions: 'learned',
  ropeBase: 10000,
  norm: 'layer',
  biases: true,
  parallelLayers: false,
  jointProjections: true,
  tiedHead: true,
  vocabulary: GPT_VOCABULARY,
  sequence: 1024,
} as const;

/** Touvron et al. 2023 (Llama 2), §2.2: RMS norms, SwiGLU, rotary positions, no biases. */
const llama = {
  ...gpt,
  gatedMlp: true,
  activation: 'silu',
  positions: 'rotary',
  norm: 'rms',
  biases: false,
  tiedHead: false,
} as const;

const llama2 = { ...llama, headWidth: 128, vocabulary: 32000, sequence: 4096 } as const;

/** Grattafiori et al. 2024, Table 3: grouped queries, 8,192 tokens in most of pre-training. */
const llama3 = {
  ...llama,
  headWidth: 128,
  keyValueHeads: 8,
  ropeBase: 500000,
  vocabulary: 128256,
  sequence: 8192,
} as const;

/** Chowdhery et al. 2022, §2 and Table 1: parallel layers, SwiGLU, multi-query attention, no biases, tied embeddings. */
const palm = {
  ...llama,
  headWidth: 256,
  keyValueHeads: 1,
  norm: 'layer',
  parallelLayers: true,
  tiedHead: true,
  vocabulary: 256000,
  sequence: 2048,
} as const;

/**
 * AI-Hypercomputer/maxtext, MaxText/configs/v4 (22b.sh over base.yml): attention and MLP of the same normed input, their
 * results added up, each with matmuls of its own (`DecoderLayer` of MaxText/layers.py, later layers/models.py), RMS norms, rotary positions, no biases,
 * one projection into the MLP, embeddings tied. Its activation is ReLU; GELU stands in.
 */
const maxtext = {
  ...llama,
  gatedMlp: false,
  activation: 'gelu',
  parallelLayers: true,
  jointProjections: false,
  headWidth: 256,
  tiedHead: true,
  vocabulary: 32768,
  sequence: 1024,
} as const;

/** A vocabulary of bytes. */
const tiny = { width: 128, depth: 4, heads: 4, headWidth: 32, vocabulary: 256, sequence: 64 } as const;

/** Heads as wide together as the model, each with its own key and value. */
function shaped(width: number, depth: number, heads: number, mlpWidth: number) {
  return { width, depth, heads, keyValueHeads: heads, mlpWidth, headWidth: width / heads };
}

export const DECODER_PRESETS: readonly { readonly config: DecoderConfig; readonly about: string }[] = [
  { config: { ...gpt, name: 'gpt2', ...shaped(768, 12, 12, 3072) }, about: 'GPT-2 small (Radford et al. 2019)' },
  { config: { ...gpt, name: 'gpt2-medium', ...shaped(1024, 24, 16, 4096) }, about: 'GPT-2 medium' },
  { config: { ...gpt, name: 'gpt2-large', ...shaped(1280, 36, 20, 5120) }, about: 'GPT-2 large' },
  { config: { ...gpt, name: 'gpt2-xl', ...shaped(1600, 48, 25, 6400) }, about: 'GPT-2 XL' },
  {
    // Every second layer of the published one attends to a band only (its §2.1); here all attend to all before them.
    config: { ...gpt, name: 'gpt3-175b', ...shaped(12288, 96, 96, 49152), sequence: 2048 },
    about: 'GPT-3 (Brown et al. 2020), attention dense in all layers',
  },
  { config: { ...llama2, name: 'llama-2-7b', ...shaped(4096, 32, 32, 11008) }, about: 'Llama 2 (Touvron et al. 2023)' },
  { config: { ...llama2, name: 'llama-2-13b', ...shaped(5120, 40, 40, 13824) }, about: 'Llama 2' },
  {
    config: { ...llama2, name: 'llama-2-70b', ...shaped(8192, 80, 64, 28672), keyValueHeads: 8 },
    about: 'Llama 2, grouped-query attention',
  },
  {
    config: { ...llama3, name: 'llama-3-8b', width: 4096, depth: 32, heads: 32, mlpWidth: 14336 },
    about: 'Llama 3 (Grattafiori et al. 2024)',
  },
  { config: { ...llama3, name: 'llama-3-70b', width: 8192, depth: 80, heads: 64, mlpWidth: 28672 }, about: 'Llama 3' },
  {
    config: { ...llama3, name: 'llama-3-405b', width: 16384, depth: 126, heads: 128, mlpWidth: 53248 },
    about: 'Llama 3',
  },
  {
    config: { ...palm, name: 'palm-8b', width: 4096, depth: 32, heads: 16, mlpWidth: 16384 },
    about: 'PaLM (Chowdhery et al. 2022)',
  },
  { config: { ...palm, name: 'palm-62b', width: 8192, depth: 64, heads: 32, mlpWidth: 32768 }, about: 'PaLM' },
  {
    // The vocabulary is padded from 256,000 so that it divides over the 12 chips of the paper's model axis (its §4), and
    // over every other number that its heads do.
    config: { ...palm, name: 'palm-540b', width: 18432, depth: 118, heads: 48, mlpWidth: 73728, vocabulary: 256032 },
    about: 'PaLM',
  },
  {
    config: { ...maxtext, name: 'maxtext-22b', ...shaped(6144, 48, 24, 24576) },
    about: "MaxText's 22B, measured on TPU v4 (AI-Hypercomputer/maxtext, MaxText/configs/v4)",
  },
  { config: { ...gpt, ...tiny, name: 'gpt-tiny', keyValueHeads: 4, mlpWidth: 512 }, about: 'GPT kind, for a CPU' },
  {
    config: { ...llama, ...tiny, name: 'llama-tiny', keyValueHeads: 2, mlpWidth: 384 },
    about: 'Llama kind with grouped queries, for a CPU',
  },
];
