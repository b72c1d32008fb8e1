/** A key press as the reducers see it: a named key, or a character. */

export type KeyName =
  | 'up'
  | 'down'
  | 'left'
  | 'right'
  | 'pageup'
  | 'pagedown'
  | 'home'
  | 'end'
  | 'enter'
  | 'escape'
  | 'tab'
  | 'backtab'
  | 'backspace'
  | 'interrupt'
  | 'redraw'
  | 'suspend'
  | 'runs';

export type Press =
  { readonly kind: 'key'; readonly name: KeyName } | { readonly kind: 'character'; readonly character: string };

export const key = (name: KeyName): Press => ({ kind: 'key', name });
export const character = (text: string): Press => ({ kind: 'character', character: text });

export const isCharacter = (press: Press, text: string): boolean =>
  press.kind === 'character' && press.character === text;
export const isKey = (press: Press, name: KeyName): boolean => press.kind === 'key' && press.name === name;

const STEPS: Partial<Record<KeyName, number>> = {
  up: -1,
  down: 1,
  pageup: -10,
  pagedown: 10,
  home: Number.NEGATIVE_INFINITY,
  end: Number.POSITIVE_INFINITY,
};

/** Where a press moves to in a list of `count`; the same place when it is no key of movement. */
export function move(index: number, press: Press, count: number): number {
  const step = press.kind === 'key' ? STEPS[press.name] : undefined;
  return step === undefined ? index : Math.max(0, Math.min(count - 1, index + step));
}
