/** Small helps for what people read. */
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

/** Words in lines of at most so many characters; a longer word has a line of its own. */
export function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line += (line === '' ? '' : ' ') + word;
  }
  return [...lines, line];
}
