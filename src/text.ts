/** Small helps for messages to people. */
import { closest } from 'fastest-levenshtein';

/** The known name that was most likely meant: one that the given text begins or is part of, else the one spelled most like it. */
export function nearest(name: string, known: readonly string[]): string {
  const part = name.toLowerCase();
  const found =
    part.length < 2
      ? undefined
      : (known.find((one) => one.toLowerCase().startsWith(part)) ??
        known.find((one) => one.toLowerCase().includes(part)));
  return found ?? closest(name, [...known]);
}
