/** The terminal UI. Ink and React are only loaded when it is opened: they take longer to import than most commands run. */
import type { TuiOptions } from './run.js';
import type { Services } from './services.js';

export type * from './services.js';
export type { TuiOptions };

/** Opens the UI and runs it until it is left. @see runTui in run.tsx */
export async function runTui(services: Services, options?: TuiOptions): Promise<void> {
  // React's development build, which is what it loads otherwise, is slower and keeps a record of every render.
  process.env['NODE_ENV'] ??= 'production';
  const run = await import('./run.js');
  await run.runTui(services, options);
}
