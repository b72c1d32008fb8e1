/** Charts and bars as text: arithmetic only. */

/** Averages a series into `count` buckets; between the points of a shorter one it goes straight. */
export function resample(points: readonly number[], count: number): number[] {
  if (points.length === 0) return [];
  if (points.length < count) {
    return Array.from({ length: count }, (_, index) => {
      const at = (index * (points.length - 1)) / (count - 1);
      const before = Math.floor(at);
      const here = points[before]!;
      return here + (at - before) * ((points[before + 1] ?? here) - here);
    });
  }
  return Array.from({ length: count }, (_, bucket) => {
    const from = Math.floor((bucket * points.length) / count);
    const to = Math.max(from + 1, Math.floor(((bucket + 1) * points.length) / count));
    const slice = points.slice(from, to);
    return slice.reduce((total, value) => total + value, 0) / slice.length;
  });
}

/** Bits of a braille cell by row from the top, for its left and its right column. */
const BRAILLE_BITS = [
  [0x01, 0x02, 0x04, 0x40],
  [0x08, 0x10, 0x20, 0x80],
] as const;
const BRAILLE_BLANK = 0x2800;

/** The rows from the top, of `levels`, that a curve covers in each column: from its point to that of the column before. */
function strokes(values: readonly number[], levels: number, low: number, high: number): [number, number][] {
  const level = (value: number): number => rowOf(value, { height: levels, low, high });
  return values.map((value, index) => {
    const [here, before] = [level(value), level(values[index - 1] ?? value)];
    // The joint between two columns belongs to one of them only, or steep curves get thick.
    const joint = before < here ? before + 1 : before > here ? before - 1 : here;
    return [Math.min(here, joint), Math.max(here, joint)];
  });
}

export interface Canvas {
  readonly width: number;
  readonly height: number;
  readonly braille: boolean;
}

/** A curve as `height` lines of `width` characters, `low` at the bottom and `high` at the top. */
export function curveLines(
  points: readonly number[],
  { width, height, braille }: Canvas,
  low: number,
  high: number,
): string[] {
  if (points.length === 0) return Array.from({ length: height }, () => ' '.repeat(width));
  if (!braille) {
    const covered = strokes(resample(points, width), height, low, high);
    return Array.from({ length: height }, (_, row) =>
      covered.map(([from, to]) => (row >= from && row <= to ? '*' : ' ')).join(''),
    );
  }
  const covered = strokes(resample(points, width * 2), height * 4, low, high);
  return Array.from({ length: height }, (_, row) =>
    Array.from({ length: width }, (_, column) => {
      let bits = 0;
      for (const side of [0, 1] as const) {
        const [from, to] = covered[column * 2 + side]!;
        for (let dot = 0; dot < 4; dot++) {
          if (row * 4 + dot >= from && row * 4 + dot <= to) bits |= BRAILLE_BITS[side][dot]!;
        }
      }
      return bits === 0 ? ' ' : String.fromCodePoint(BRAILLE_BLANK + bits);
    }).join(''),
  );
}

/**
 * Cells for each value, in all exactly `width` where any is above zero. Whatever is above zero gets a cell where there
 * are enough: a share that is not drawn reads as none.
 */
export function apportion(values: readonly number[], width: number): number[] {
  const total = values.reduce((sum, value) => sum + Math.max(0, value), 0);
  if (!(total > 0)) return values.map(() => 0);
  const exact = values.map((value) => (Math.max(0, value) / total) * width);
  const cells = exact.map((share, index) => (values[index]! > 0 ? Math.max(1, Math.floor(share)) : 0));
  for (let left = width - cells.reduce((sum, count) => sum + count, 0); left !== 0; left -= Math.sign(left)) {
    // The one furthest below its share gains a cell; the one furthest above it, with cells to spare, loses one.
    const candidates = cells.map((count, index) => ({ index, gap: exact[index]! - count, count }));
    const able = candidates.filter(({ index, count }) => (left > 0 ? values[index]! > 0 : count > 0));
    const spare = left > 0 ? able : able.some(({ count }) => count > 1) ? able.filter(({ count }) => count > 1) : able;
    const best = spare.reduce((a, b) => ((left > 0 ? b.gap > a.gap : b.gap < a.gap) ? b : a));
    cells[best.index]! += Math.sign(left);
  }
  return cells;
}

/** The row from the top, of `height`, that a value is in. */
export function rowOf(
  value: number,
  { height, low, high }: { readonly height: number; readonly low: number; readonly high: number },
): number {
  const share = high > low ? (value - low) / (high - low) : 0.5;
  return Math.round((1 - Math.max(0, Math.min(1, share))) * (height - 1));
}

/** `count` cells of a series of states: of each cell's part of it, the state that is there most. */
export function majority(states: readonly number[], count: number): number[] {
  if (states.length === 0) return [];
  return Array.from({ length: count }, (_, cell) => {
    const from = Math.floor((cell * states.length) / count);
    const to = Math.max(from + 1, Math.floor(((cell + 1) * states.length) / count));
    const times = new Map<number, number>();
    for (const state of states.slice(from, to)) times.set(state, (times.get(state) ?? 0) + 1);
    const [[first]] = [...times].toSorted(([, a], [, b]) => b - a) as [[number, number]];
    return first;
  });
}

/**
 * The bars of a waterfall in `columns`: from zero to the first value, from each end to the next, and from zero to the
 * last. The scale leaves out what all of them share, so that small steps can be seen.
 *
 * @returns where each begins and ends, from 0 to `columns`
 */
export function waterfall(start: number, changes: readonly number[], columns: number): [number, number][] {
  const ends = [start];
  for (const change of changes) ends.push(ends.at(-1)! + change);
  const [low, high] = [Math.min(...ends), Math.max(...ends)];
  // A tenth of the width is kept for what they share.
  const least = Math.max(0, low - (high - low) / 9);
  const column = (value: number): number =>
    high > least ? Math.round((columns * (value - least)) / (high - least)) : columns;
  const steps = changes.map((_, index): [number, number] => {
    const [from, to] = [column(ends[index]!), column(ends[index + 1]!)];
    return [Math.min(from, to), Math.max(from, to)];
  });
  return [[0, column(start)], ...steps, [0, column(ends.at(-1)!)]];
}
