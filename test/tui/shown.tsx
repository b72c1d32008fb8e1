/** What a person sees of a state, and what holds of every view. */
import { render } from 'ink-testing-library';
import { describe, expect, it } from 'vitest';
import { View } from '../../src/tui/app.js';
import { detectLook, LookProvider } from '../../src/tui/look.js';
import type { Size } from '../../src/tui/state/layout.js';
import type { AppState } from '../../src/tui/state/types.js';

export const SMALL: Size = { columns: 80, rows: 24 };
export const LARGE: Size = { columns: 200, rows: 60 };

/** The lines of the screen. @param env what the terminal is known by */
export function linesOf(
  state: AppState,
  size: Size = SMALL,
  env: Readonly<Record<string, string>> = { LANG: 'C.UTF-8' },
): string[] {
  const shown = render(
    <LookProvider value={detectLook(env, 'linux')}>
      <View state={state} size={size} />
    </LookProvider>,
  );
  const frame = shown.lastFrame() ?? '';
  shown.unmount();
  return frame.split('\n');
}

export const textOf = (state: AppState, size?: Size): string => linesOf(state, size).join('\n');

/** Claims about each of these states: it fits, its keys are at the foot, help fits over it, and ASCII does. */
export function describeEveryView(title: string, states: Readonly<Record<string, AppState>>): void {
  describe(title, () => {
    for (const [name, state] of Object.entries(states)) {
      it.each([SMALL, { columns: 100, rows: 30 }, LARGE])(`${name}: fits $columns × $rows`, (size) => {
        const lines = linesOf(state, size);
        expect(lines.length).toBeLessThanOrEqual(size.rows);
        for (const line of lines) expect([...line].length, line).toBeLessThanOrEqual(size.columns);
        expect(lines[1]).toMatch(/^ [─-]+$/);
        // The keys are at the foot, whatever is above.
        expect(lines.at(-1)).toMatch(/(quit|close)$/);
      });

      it.each(['C.UTF-8', 'C'])(`${name}: help over it fits the smallest terminal in %s`, (LANG) => {
        const lines = linesOf({ ...state, failure: undefined, help: true }, SMALL, { LANG });
        expect(lines[1]).toMatch(/^ [─-]+$/);
        expect(lines.join('\n')).toMatch(/Keys\b[^]*Words\b/);
        const end = lines.findLastIndex((line) => /[╯+]$/.test(line));
        expect(end).toBeGreaterThan(0);
        expect(end).toBeLessThan(SMALL.rows - 2);
        // Each on a line of its own: what is too long would go on in the next one.
        for (const line of lines.slice(3, end)) expect(line).toMatch(/^ [│|] (\S.*| +)[│|]$/);
      });
    }

    it('has only ASCII glyphs of its own where the terminal has no more', () => {
      for (const state of Object.values(states)) {
        const shown = linesOf(state, SMALL, { LANG: 'C' }).join('\n');
        // What is left comes from texts, and is replaced when it is painted.
        expect(shown.replaceAll(/[×−–µ→…“”\u00A0]/g, '')).toMatch(/^\p{ASCII}*$/u);
      }
    });
  });
}
