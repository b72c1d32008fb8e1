/** Which of several texts a few typed letters mean. */

/** Letters of `typed` in their order within `text`, others between them. */
function isSubsequence(typed: string, text: string): boolean {
  let at = 0;
  for (const letter of typed) {
    at = text.indexOf(letter, at) + 1;
    if (at === 0) return false;
  }
  return true;
}

/** How well a word means a choice, the smaller the better; nothing where it does not. */
function distance(word: string, name: string, about: string): number | undefined {
  if (name === word) return 0;
  if (name.startsWith(word)) return 1;
  if (name.includes(word)) return 2;
  if (about.includes(word)) return 3;
  return isSubsequence(word, name) ? 4 : undefined;
}

/**
 * The choices that every word of a filter means, the best first: by its name, its description, or by letters of its name
 * (`v22` means `vit-22b`). Those that are as good stay in their order.
 */
export function fuzzyMatches<T extends { readonly name: string; readonly about: string }>(
  choices: readonly T[],
  filter: string,
): readonly T[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return choices;
  const rated = choices.flatMap((choice) => {
    const distances = words.map((word) => distance(word, choice.name.toLowerCase(), choice.about.toLowerCase()));
    return distances.includes(undefined)
      ? []
      : [{ choice, total: distances.reduce<number>((sum, one) => sum + one!, 0) }];
  });
  return rated.toSorted((a, b) => a.total - b.total).map(({ choice }) => choice);
}
