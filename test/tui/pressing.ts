/** The UI's state, driven by presses and news: for tests of its reducers. */
import { expect } from 'vitest';
import { initialApp, reduce } from '../../src/tui/state/app.js';
import type { KeyName, Press } from '../../src/tui/state/press.js';
import { character, key } from '../../src/tui/state/press.js';
import type { Arrows } from '../../src/tui/state/hint.js';
import type { AppState, News, Screen } from '../../src/tui/state/types.js';
import { fakeServices } from './fake-services.js';

export const SIZE = { columns: 80, rows: 24 };
export const services = fakeServices({ tick: () => Promise.resolve(), steps: 3 });

export const start = (): AppState => initialApp(services, { chips: 1024, batch: 65_536 });
export const presses = (state: AppState, ...all: Press[]): AppState =>
  all.reduce((before, press) => reduce(before, { type: 'press', press, size: SIZE }), state);
export const keys = (state: AppState, ...names: KeyName[]): AppState => presses(state, ...names.map(key));
export const typed = (state: AppState, text: string): AppState => presses(state, ...[...text].map(character));
export const hear = (state: AppState, ...news: News[]): AppState => reduce(state, { type: 'news', news });

export function at<Name extends Screen['at']>({ screen }: AppState, name: Name): Extract<Screen, { at: Name }> {
  if (screen.at !== name) expect.fail(`at ${screen.at}`);
  return screen as Extract<Screen, { at: Name }>;
}

/** How the arrow keys are written where it does not matter. */
export const ARROWS: Arrows = { upDown: 'up/down', leftRight: 'left/right' };
