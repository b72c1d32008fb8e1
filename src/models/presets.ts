/** Models by name. */
import { MeshwrightError } from '../errors.js';
import { nearest } from '../text.js';
import { DECODER_PRESETS } from './decoder-presets.js';
import type { ModelConfig } from './model.js';
import { VIT_PRESETS } from './vit-presets.js';

export interface Preset {
  readonly config: ModelConfig;
  readonly about: string;
}

export const PRESETS: readonly Preset[] = [...VIT_PRESETS, ...DECODER_PRESETS];

/** @throws MeshwrightError MODEL_UNKNOWN with the nearest name */
export function findModel(name: string, place = 'model'): ModelConfig {
  const found = PRESETS.find(({ config }) => config.name === name);
  if (found) return found.config;
  const names = PRESETS.map(({ config }) => config.name);
  throw new MeshwrightError('MODEL_UNKNOWN', {
    place,
    expected: `one of ${names.join(', ')}`,
    got: JSON.stringify(name),
    hint: `did you mean ${nearest(name, names)}?`,
  });
}
