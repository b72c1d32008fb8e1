/** What goes on over time as one glyph a column: arithmetic only. */
import type { Activity, TimelineLane } from '../services.js';

export const ACTIVITIES = ['forward', 'backward', 'update', 'waited', 'hidden'] as const satisfies readonly Activity[];

/** The mean of a series over each of `columns` equal parts of it. */
function columnShares(series: readonly number[], columns: number): number[] {
  const scale = series.length / columns;
  return Array.from({ length: columns }, (_, column) => {
    const [from, to] = [column * scale, (column + 1) * scale];
    let total = 0;
    for (let index = Math.floor(from); index < Math.min(series.length, to); index++)
      total += series[index]! * (Math.min(to, index + 1) - Math.max(from, index));
    return total / scale;
  });
}

/** Less than this of a column is not worth its glyph. */
const LEAST = 1e-3;

/**
 * What each column shows, nothing where the lane is idle. Of several activities in one column, the one that the columns so
 * far show least of against its share: so what alternates faster than columns do is seen in proportion.
 */
export function laneColumns({ shares }: Pick<TimelineLane, 'shares'>, columns: number): (Activity | undefined)[] {
  const present = ACTIVITIES.flatMap((activity) => {
    const series = shares[activity];
    return series === undefined ? [] : [{ activity, of: columnShares(series, columns), owed: 0 }];
  });
  const idle = { activity: undefined, owed: 0 };
  return Array.from({ length: columns }, (_, column) => {
    let busy = 0;
    for (const one of present) {
      busy += one.of[column]!;
      one.owed += one.of[column]!;
    }
    idle.owed += Math.max(0, 1 - busy);
    const candidates = [...present.filter(({ of }) => of[column]! > LEAST), ...(busy < 1 - LEAST ? [idle] : [])];
    if (candidates.length === 0) return undefined;
    const shown = candidates.reduce((most, one) => (one.owed > most.owed ? one : most));
    shown.owed -= 1;
    // What was owed elsewhere must not be shown where it is not.
    for (const one of [...present, idle]) one.owed = Math.max(-1, Math.min(1, one.owed));
    return shown.activity;
  });
}

/** Seconds that an activity takes of a lane. */
export function laneSeconds({ shares }: Pick<TimelineLane, 'shares'>, activity: Activity, length: number): number {
  const series = shares[activity] ?? [];
  return series.length === 0 ? 0 : (series.reduce((sum, share) => sum + share, 0) / series.length) * length;
}

/**
 * As many lanes as there are rows for: of chips or stages at least half, evenly spread, the first and the last among them;
 * the others are of communication.
 */
export function shownLanes(lanes: readonly TimelineLane[], rows: number): readonly TimelineLane[] {
  const communication = lanes.filter(({ kind }) => kind === 'communication');
  const compute = lanes.filter(({ kind }) => kind === 'compute');
  const room = Math.max(Math.ceil(rows / 2), rows - communication.length);
  const kept =
    compute.length <= room
      ? compute
      : Array.from(
          { length: room },
          (_, index) => compute[room === 1 ? 0 : Math.round((index * (compute.length - 1)) / (room - 1))]!,
        );
  return [...kept, ...communication].slice(0, Math.max(1, rows));
}
