/**
 * What the terminal UI asks for, done by the same pieces as the commands. They are loaded when they are asked for: the UI
 * is to be there at once, and what it shows first needs little.
 */
import { listHardware } from '../hardware/shipped.js';
import { PRESETS } from '../models/presets.js';
import { tokensPerExample } from '../models/tokens.js';
import type { Services } from '../tui/services.js';

/** What `load` gives, loaded once. */
function once<T>(load: () => Promise<T>): () => Promise<T> {
  let loaded: Promise<T> | undefined;
  return () => (loaded ??= load());
}

export function createServices(): Services {
  const plans = once(async () => (await import('./plan-services.js')).createPlanServices());
  const runs = once(async () => (await import('./runs-services.js')).createRunServices());
  return {
    models: PRESETS.map(({ config, about }) => ({
      name: config.name,
      about,
      tokensPerExample: tokensPerExample(config),
    })),
    // What there is to say of them is in their files, which are read meanwhile: see `files`.
    hardware: listHardware().map((name) => ({ name, about: '' })),
    files: async () => (await plans()).files(),
    search: async (...request) => (await plans()).search(...request),
    look: async (...request) => (await plans()).look(...request),
    writeJob: async (...request) => (await plans()).writeJob(...request),
    train: async (...request) => (await import('./train-services.js')).train(...request),
    runs: async (...request) => (await runs()).runs(...request),
    readRun: async (...request) => (await runs()).readRun(...request),
    calibrate: async (...request) => (await runs()).calibrate(...request),
  };
}
