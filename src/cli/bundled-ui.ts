/** Opens the UI from its bundle, which `npm run build` makes of `ui.ts`. */
import type * as ui from './ui.js';

const BUNDLE = new URL('./ui.bundle.js', import.meta.url).href;

export async function openUi(): Promise<void> {
  const { openUi: open } = (await import(BUNDLE)) as typeof ui;
  await open();
}
