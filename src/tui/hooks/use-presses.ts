/** Ink's key events as presses. */
import type { Key } from 'ink';
import { useInput } from 'ink';
import type { KeyName, Press } from '../state/press.js';
import { character, key as named } from '../state/press.js';

const CONTROL: Readonly<Record<string, KeyName>> = {
  '\r': 'enter',
  '\n': 'enter',
  '\t': 'tab',
  '\u007F': 'backspace',
  '\u0008': 'backspace',
  '\u0003': 'interrupt',
  '\u000C': 'redraw',
  '\u0012': 'runs',
  '\u001A': 'suspend',
};

/** Letters beside Ctrl. */
const CONTROL_LETTERS: Readonly<Record<string, KeyName>> = { c: 'interrupt', l: 'redraw', r: 'runs', z: 'suspend' };

function keyName(input: string, key: Key): KeyName | undefined {
  if (key.ctrl) return CONTROL_LETTERS[input];
  if (key.upArrow) return 'up';
  if (key.downArrow) return 'down';
  if (key.leftArrow) return 'left';
  if (key.rightArrow) return 'right';
  if (key.pageUp) return 'pageup';
  if (key.pageDown) return 'pagedown';
  if (key.home) return 'home';
  if (key.end) return 'end';
  if (key.return) return 'enter';
  if (key.escape) return 'escape';
  if (key.tab) return key.shift ? 'backtab' : 'tab';
  // Most terminals send what Ink calls delete for the backspace key.
  if (key.backspace || key.delete) return 'backspace';
  return undefined;
}

/** One event may hold several characters, when they come fast or are pasted. */
export function toPresses(input: string, key: Key): Press[] {
  const name = keyName(input, key);
  if (name !== undefined) return [named(name)];
  if (key.ctrl || key.meta) return [];
  return [...input].flatMap((typed) => {
    const control = CONTROL[typed];
    if (control !== undefined) return [named(control)];
    return typed >= ' ' ? [character(typed)] : [];
  });
}

export function usePresses(onPress: (press: Press) => void): void {
  useInput((input, key) => toPresses(input, key).forEach(onPress));
}
