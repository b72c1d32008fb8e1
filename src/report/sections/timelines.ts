/** A step as rows that can be zoomed: what computes, what communicates over each axis, who waits. */
import { CATEGORIES } from '../categories.js';
import type { Category } from '../categories.js';
import type { Lane, Lanes } from '../document.js';
import type { Figure } from '../figure.js';
import { eachCategory, legendOf, thin, timelineData } from '../timeline.js';
import { count, listed, time, whole } from '../words.js';

/** Without what is waited. */
const lengthOf = ({ spans }: Lane): number =>
  spans.reduce((total, { start, end, category }) => (category === 'bubble' ? total : total + end - start), 0);

/** Of each row how long each category lasts. */
function rowsOf(lanes: readonly Lane[], seconds: number): string[][] {
  return lanes.flatMap((lane) => {
    const byCategory = new Map<string, number>();
    for (const span of lane.spans)
      eachCategory(span, lane, (category, taken) => byCategory.set(category, (byCategory.get(category) ?? 0) + taken));
    return [...byCategory]
      .toSorted(([, a], [, b]) => b - a)
      .map(([category, taken]) => [
        lane.name,
        CATEGORIES[category as Category] ?? category,
        time(taken),
        whole(taken / seconds),
      ]);
  });
}

/** Pixels of a row: of few, and of many. */
const [HIGH_ROW, LOW_ROW] = [40, 24];
const FEW_ROWS = 6;

export function timelineFigure({ lanes, seconds, note }: Lanes, id: string, title: string): Figure {
  const thinned = thin(lanes, seconds);
  const busiest = lanes.slice(0, 4).map((lane) => `${lane.name} ${whole(lengthOf(lane) / seconds)}`);
  const { between, spans } = thinned;
  const left =
    between &&
    `${count(spans)} spans in all: the first ${time(between.from)} and the last ${time(seconds - between.to)} are here span by span, between them those shorter than ${time(between.shortestSeconds)} together with their neighbours (simulate --trace writes all).`;
  const zooms = between && {
    first: `the first ${time(between.from)}`,
    last: `the last ${time(seconds - between.to)}`,
  };
  return {
    id,
    title,
    label: `Busy, of ${time(seconds)}: ${listed(busiest)}${lanes.length > busiest.length ? `, and ${lanes.length - busiest.length} more rows` : ''}.`,
    kind: 'timeline',
    height: 84 + (lanes.length <= FEW_ROWS ? HIGH_ROW : LOW_ROW) * lanes.length,
    legend: legendOf(lanes),
    ...(zooms === undefined ? {} : { zooms }),
    data: timelineData(lanes, thinned, seconds),
    note: [
      'Zoom with the buttons, the bar below the rows, or the wheel with Ctrl held. Where spans are too narrow to be drawn one by one, colours are stacked by how much of the time each takes: what stays empty is idle. ',
      note,
      note === undefined ? undefined : ' ',
      left,
    ],
    table: { head: ['row', 'what', 'time', 'of what is shown'], rows: rowsOf(lanes, seconds), right: [2, 3] },
  };
}
