/** Opens the UI from its bundle, which `npm run build` makes of `ui.ts`. */
import type * as ui from './ui.js';

const BUNDLE = new URL('./ui.bundle.js', import.meta.url).href;

/**
 * Yoga, which lays out for Ink, gets its WebAssembly by `fetch` from a `data:` URL where there is one. Node then loads its
 * whole HTTP client, which takes longer than all of the UI; without, the bytes are decoded where they are.
 */
async function importWithoutFetch(): Promise<typeof ui> {
  const fetch = Object.getOwnPropertyDescriptor(globalThis, 'fetch')!;
  Object.defineProperty(globalThis, 'fetch', { value: undefined, configurable: true, writable: true });
  try {
    return (await import(BUNDLE)) as typeof ui;
  } finally {
    Object.defineProperty(globalThis, 'fetch', fetch);
  }
}

export async function openUi(): Promise<void> {
  await (await importWithoutFetch()).openUi();
}
