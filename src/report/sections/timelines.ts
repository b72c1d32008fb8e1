/** A step as rows that can be zoomed: what computes, what communicates over each axis, who waits. */
import { CATEGORIES } from '../categories.js';
import type { Category } from '../categories.js';
import type { Lane, Lanes } from '../document.js';
import type { Figure } from '../figure.js';
import { legendOf, thin, timelineData } from '../timeline.js';
import { count, listed, time, whole } from '../words.js';

const lengthOf = ({ spans }: Lane): number => spans.reduce((total, { start, end }) => total + end - start, 0);

/** Of each row how long each category lasts, in the table's rows. */
function rowsOf(lanes: readonly Lane[], seconds: number): string[][] {
  return lanes.flatMap((lane) => {
    const byCategory = new Map<string, { seconds: number; count: number }>();
    for (const { category, start, end } of lane.spans) {
      const before = byCategory.get(category) ?? { seconds: 0, count: 0 };
      byCategory.set(category, { seconds: before.seconds + end - start, count: before.count + 1 });
    }
    return [...byCategory]
      .toSorted(([, a], [, b]) => b.seconds - a.seconds)
      .map(([category, total]) => [
        lane.name,
        CATEGORIES[category as Category] ?? category,
        count(total.count),
        time(total.seconds),
        whole(total.seconds / seconds),
      ]);
  });
}

const ROW = 24;

export function timelineFigure({ lanes, seconds, note }: Lanes, id: string, title: string): Figure {
  const thinned = thin(lanes, seconds);
  const busiest = lanes.slice(0, 4).map((lane) => `${lane.name} ${whole(lengthOf(lane) / seconds)}`);
  const left =
    thinned.shortestSeconds === 0
      ? undefined
      : `Of its ${count(thinned.spans)} spans, neighbours shorter than ${time(thinned.shortestSeconds)} are drawn as one in the colour of what takes most of it: simulate --trace writes all.`;
  return {
    id,
    title,
    label: `${lanes.length} rows over ${time(seconds)}; of that time something goes on in ${listed(busiest)}.`,
    kind: 'timeline',
    height: 96 + ROW * lanes.length,
    legend: legendOf(lanes),
    data: timelineData(lanes, thinned, seconds),
    note: [
      'Zoom with the buttons, the bar below, or the wheel with Ctrl held; point at a span for its op. ',
      note,
      note === undefined ? undefined : ' ',
      left,
    ],
    table: { head: ['row', 'what', 'spans', 'time', 'of the step'], rows: rowsOf(lanes, seconds), right: [2, 3, 4] },
  };
}
