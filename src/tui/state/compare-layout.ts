/** Lines of the screen of runs, in terminal cells. */
import type { CalibrationReport } from '../services.js';
import type { CompareState } from './compare.js';
import type { Size } from './layout.js';
import { bodyRows } from './layout.js';

/** A heading, and the verdict in up to two lines with a blank below. */
const REPORT_HEAD = 4;

/** Lines of a calibration's report below its verdict: two tables, each with its heads, a blank between. */
export const reportLines = ({ corrections, outcomes }: CalibrationReport): number =>
  (corrections.length === 0 ? 0 : 1 + corrections.length) +
  (corrections.length === 0 || outcomes.length === 0 ? 0 : 1) +
  (outcomes.length === 0 ? 0 : 1 + outcomes.length);

export const reportRoom = (size: Size): number => Math.max(1, bodyRows(size) - REPORT_HEAD);

/** How far the report of a calibration can scroll. */
export function lastReportLine(size: Size, { calibration }: CompareState): number {
  return typeof calibration === 'object' ? Math.max(0, reportLines(calibration) - reportRoom(size)) : 0;
}
