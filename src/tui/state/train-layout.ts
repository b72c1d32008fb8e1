/** How the rows of the screen of a run are shared out, in terminal cells. */
import type { Size } from './layout.js';
import { bodyRows, WIDE_COLUMNS } from './layout.js';

export interface TrainLayout {
  readonly chartsAbreast: number;
  /** Rows of charts, one above the other, and the lines of each. */
  readonly chartRows: 1 | 2;
  readonly chartLines: number;
  /** Lines of a step over time: the predicted one, then ranks. */
  readonly lanes: number;
  readonly figuresAbreast: number;
  /** Without a heading where lines are short. */
  readonly logHeading: boolean;
  readonly logLines: number;
}

/** What a run is, where it is, how far along. */
const HEAD_LINES = 3;
/** Of the step over time: its heading, and the legend. */
const AROUND_LANES = 2;
const LOG_HEADING = 1;
const HEADED_ROWS = 30;

const LEAST = { chartLines: 5, lanes: 3, logLines: 2 };
const MOST = { chartLines: 14, logLines: 12 };
/** A blank line is between two rows of charts. */
const GAP = 1;

/** @param ranks of the plan @param figures how many there are beside the charts @param notes lines below the head */
export function trainLayout(size: Size, ranks: number, figures: number, notes: number): TrainLayout {
  const isWide = size.columns >= WIDE_COLUMNS;
  const figuresAbreast = isWide ? 4 : 2;
  const figureLines = Math.ceil(figures / figuresAbreast);
  let [lanes, chartRows, chartLines, logLines]: [number, 1 | 2, number, number] = [
    Math.min(ranks + 1, LEAST.lanes),
    1,
    LEAST.chartLines,
    LEAST.logLines,
  ];
  const logHeading = size.rows >= HEADED_ROWS;
  const heads = HEAD_LINES + notes + AROUND_LANES + (logHeading ? LOG_HEADING : 0);
  let left = bodyRows(size) - heads - figureLines - lanes - chartLines - logLines;
  if (left < 0) [logLines, left] = [logLines + left, 0];
  const take = (wanted: number): number => {
    const taken = Math.max(0, Math.min(wanted, left));
    left -= taken;
    return taken;
  };
  // Every rank is to be seen, if they leave room for readable curves.
  lanes += take(Math.min(ranks + 1 - lanes, Math.floor(left / 2)));
  if (left >= GAP + LEAST.chartLines + 2) {
    chartRows = 2;
    take(GAP + LEAST.chartLines);
  }
  chartLines += Math.floor(
    take(chartRows * Math.min(MOST.chartLines - chartLines, Math.floor(left / chartRows))) / chartRows,
  );
  logLines += take(MOST.logLines - logLines);
  return { chartsAbreast: isWide ? 3 : 2, chartRows, chartLines, lanes, figuresAbreast, logHeading, logLines };
}
