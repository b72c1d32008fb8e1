/**
 * A series for a chart, of bounded size however long a run is: when it is full, neighbours are averaged and each point
 * stands for twice as many steps.
 */
export interface History {
  readonly points: readonly number[];
  /** Steps in each point. */
  readonly stride: number;
  /** Sum and count of the steps of the point that is not yet complete. */
  readonly pending: { readonly sum: number; readonly count: number };
  readonly first: number | undefined;
}

export const MAXIMUM_POINTS = 512;

export const EMPTY_HISTORY: History = {
  points: [],
  stride: 1,
  pending: { sum: 0, count: 0 },
  first: undefined,
};

function halve(points: readonly number[]): number[] {
  return Array.from({ length: points.length / 2 }, (_, index) => (points[2 * index]! + points[2 * index + 1]!) / 2);
}

/** Values that are not finite (a diverged loss) are left out of the chart; the figure beside it still shows them. */
export function append(history: History, value: number): History {
  if (!Number.isFinite(value)) return history;
  const pending = { sum: history.pending.sum + value, count: history.pending.count + 1 };
  const first = history.first ?? value;
  if (pending.count < history.stride) return { ...history, pending, first };
  const points = [...history.points, pending.sum / pending.count];
  const full = points.length === MAXIMUM_POINTS;
  return {
    points: full ? halve(points) : points,
    stride: full ? history.stride * 2 : history.stride,
    pending: EMPTY_HISTORY.pending,
    first,
  };
}
