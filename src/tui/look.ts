/**
 * The one visual language of the UI: glyphs and colours, chosen once for the terminal at hand. No meaning is carried by
 * a colour alone: whatever has a colour has a glyph, a word or a place of its own too.
 */
import { createContext, useContext } from 'react';

/** What a colour stands for. Only the terminal's own first eight are used, which are readable on light and dark. */
const COLORS = {
  accent: 'cyan',
  good: 'green',
  warn: 'yellow',
  bad: 'red',
  first: 'cyan',
  second: 'yellow',
  third: 'magenta',
  fourth: 'green',
  fifth: 'red',
} as const;

export type Hue = keyof typeof COLORS;

/** How the segments of a bar differ, in order of use. */
export const SEGMENT_HUES = ['first', 'second', 'third', 'fourth', 'fifth'] as const satisfies readonly Hue[];

const UNICODE = {
  segments: ['█', '▒', '▚', '░', '▞'],
  empty: '·',
  between: '·',
  paused: '‖',
  done: '━',
  ahead: '─',
  rule: '─',
  pointer: '❯',
  crumb: '›',
  ellipsis: '…',
  upDown: '↑↓',
  leftRight: '←→',
  sorted: ['▴', '▾'],
  border: 'round',
  spinner: 'dots',
  braille: true,
} as const;

const ASCII = {
  segments: ['#', '=', '+', ':', 'o'],
  empty: '.',
  between: '.',
  paused: '|',
  done: '=',
  ahead: '-',
  rule: '-',
  pointer: '>',
  crumb: '>',
  ellipsis: '~',
  upDown: 'up/down',
  leftRight: 'left/right',
  sorted: ['^', 'v'],
  border: 'classic',
  spinner: 'line',
  braille: false,
} as const;

export interface Look {
  readonly glyphs: typeof UNICODE | typeof ASCII;
  readonly colored: boolean;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Whether the locale says UTF-8 and the terminal has the glyphs: the kernel's console and `dumb` do not. */
function hasUnicode(env: Environment, platform: string): boolean {
  if (env['TERM'] === 'linux' || env['TERM'] === 'dumb') return false;
  if (platform === 'win32') return Boolean(env['WT_SESSION'] ?? env['TERM_PROGRAM'] ?? env['ConEmuTask']);
  // The first that is set and not empty decides, as in the C library.
  return /utf-?8/i.test(env['LC_ALL'] || env['LC_CTYPE'] || env['LANG'] || '');
}

/** Reads what the terminal can show. NO_COLOR counts when it is not empty (no-color.org). */
export const detectLook = (env: Environment, platform: string): Look => ({
  glyphs: hasUnicode(env, platform) ? UNICODE : ASCII,
  colored: !env['NO_COLOR'] && env['TERM'] !== 'dumb',
});

/** Properties of a `Text` in a colour; none where colours are off. */
export const paint = (look: Look, hue: Hue): { readonly color?: string } =>
  look.colored ? { color: COLORS[hue] } : {};

/** The glyph and the colour of a bar's segment; after the last they start over. */
export const segmentStyle = (look: Look, index: number): { readonly glyph: string; readonly hue: Hue } => ({
  glyph: look.glyphs.segments[index % look.glyphs.segments.length]!,
  hue: SEGMENT_HUES[index % SEGMENT_HUES.length]!,
});

const REPLACED: Readonly<Record<string, string>> = {
  '→': '>',
  µ: 'u',
  μ: 'u',
  '×': 'x',
  '…': '~',
  '–': '-',
  '—': '-',
  '−': '-',
  '·': '.',
  '\u00A0': ' ',
  '≈': '~',
  '“': '"',
  '”': '"',
  '‘': "'",
  '’': "'",
};

/** The same text in as many ASCII characters, for whatever comes from outside the UI (a `µs`, a model's description). */
export const toAscii = (text: string): string =>
  text.replace(/[^\p{ASCII}]/gu, (character) => REPLACED[character] ?? '?');

const LookContext = createContext<Look>({ glyphs: UNICODE, colored: true });
export const LookProvider = LookContext.Provider;
export const useLook = (): Look => useContext(LookContext);
