/** From what a job says of its model to the model. */
import { MeshwrightError } from '../errors.js';
import type { DecoderConfig, ModelConfig, VitConfig } from '../models/index.js';
import { findModel } from '../models/index.js';
import type { ModelInput } from './schema.js';

const FAMILY_NAMES = { vit: 'a vision transformer', decoder: 'a decoder' } as const;

/** Settings of other families are unknown to this one. */
function requireOwnSettings(base: ModelConfig, names: readonly string[]): void {
  const known = Object.keys(base)
    .filter((name) => name !== 'family')
    .sort();
  for (const name of names) {
    if (known.includes(name)) continue;
    throw new MeshwrightError('FIELD_UNKNOWN', {
      place: `model.${name}`,
      expected: `a setting of ${FAMILY_NAMES[base.family]}, which ${base.name} is`,
      got: name,
      hint: `it has ${known.join(', ')}`,
    });
  }
}

function requireThat(holds: boolean, place: string, expected: string, got: number): void {
  if (!holds) throw new MeshwrightError('JOB_INVALID', { place: `model.${place}`, expected, got: String(got) });
}

function checkVit({ width, heads, imageSize, patch }: VitConfig): void {
  requireThat(width % heads === 0, 'heads', `a divisor of the width ${width}`, heads);
  requireThat(imageSize % patch === 0, 'imageSize', `a multiple of the patch ${patch}`, imageSize);
}

function checkDecoder({ heads, keyValueHeads, headWidth, positions }: DecoderConfig): void {
  requireThat(heads % keyValueHeads === 0, 'keyValueHeads', `a divisor of the ${heads} heads`, keyValueHeads);
  const pairs = positions === 'learned' || headWidth % 2 === 0;
  requireThat(pairs, 'headWidth', 'an even width, whose halves rotary positions turn', headWidth);
}

/**
 * A preset's model, with changes.
 *
 * @throws MeshwrightError MODEL_UNKNOWN, FIELD_UNKNOWN for a setting of another family, JOB_INVALID when a change makes
 *   no sense (heads that do not divide)
 */
export function resolveModel(input: string | ModelInput): ModelConfig {
  const { preset, ...changes } = typeof input === 'string' ? { preset: input } : input;
  const base = findModel(preset, typeof input === 'string' ? 'model' : 'model.preset');
  const set = Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined));
  requireOwnSettings(base, Object.keys(set));
  const named = Object.keys(set).length > 0 && set['name'] === undefined ? { name: `${preset}*` } : {};
  const model: ModelConfig = { ...base, ...named, ...set };
  if (model.family === 'vit') checkVit(model);
  else checkDecoder(model);
  return model;
}
