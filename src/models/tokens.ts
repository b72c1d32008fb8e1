/** What of a model can be told without building it. */
import type { DecoderConfig } from './decoder-config.js';
import { tokenCount } from './vit-config.js';
import type { VitConfig } from './vit-config.js';

/** Tokens of an example: patches of an image, or the words of a sequence. */
export const tokensPerExample = (config: VitConfig | DecoderConfig): number =>
  config.family === 'vit' ? tokenCount(config) : config.sequence;
