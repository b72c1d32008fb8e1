/**
 * Two halves of each set's runs, for what is fitted: on one half, and checked on the other. A model is in one half only,
 * whatever it was run on, since runs of one model are alike. Which half does not depend on the order of the rows.
 */
import type { Row } from './row.js';

export type Half = 'a' | 'b';

/** A model by its shape: names are shared between sizes. */
const modelKey = ({ model }: Row): string =>
  [model.layers, model.width, model.heads, model.keyValueHeads ?? model.heads, model.mlpWidth].join(' ');

/** Of one set: models with most runs first, each into the half that has fewer runs. */
function dealModels(rows: readonly Row[]): Map<string, Half> {
  const counts = new Map<string, number>();
  for (const row of rows) counts.set(modelKey(row), (counts.get(modelKey(row)) ?? 0) + 1);
  const inOrder = [...counts].toSorted(([a, many], [b, more]) => more - many || (a < b ? -1 : 1));
  const total = { a: 0, b: 0 };
  return new Map(
    inOrder.map(([model, count]) => {
      const half: Half = total.b < total.a ? 'b' : 'a';
      total[half] += count;
      return [model, half];
    }),
  );
}

/** The half that each row is in. The only model of a set is in the first. */
export function halvesOf(rows: readonly Row[]): Half[] {
  const bySet = new Map<string, Row[]>();
  for (const row of rows) bySet.set(row.set, [...(bySet.get(row.set) ?? []), row]);
  const dealt = new Map([...bySet].map(([set, members]) => [set, dealModels(members)]));
  return rows.map((row) => dealt.get(row.set)!.get(modelKey(row))!);
}
