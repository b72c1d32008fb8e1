/** Lines of the screen of runs, in terminal cells. */
import { wrapped } from '../../text.js';
import type { CalibrationReport } from '../services.js';
import type { CompareState } from './compare.js';
import type { Size } from './layout.js';
import { bodyColumns, bodyRows } from './layout.js';

/** A heading. */
const REPORT_HEAD = 1;

/** What a calibration's report says before its tables: the verdict first. */
export function reportSentences({
  isAccepted,
  reason,
  profile,
  version,
  before,
  about,
}: CalibrationReport): readonly [verdict: string, ...others: string[]] {
  return [
    isAccepted
      ? `Accepted: ${profile} is its version ${version} from now on; ${reason}.`
      : `Refused, and nothing was written: ${reason}.`,
    ...about,
    `Before is by ${before}, after by what was fitted to it; what was predicted when a run was made is in the list.`,
  ];
}

/** The sentences in lines of the screen. */
export const sentenceLines = (report: CalibrationReport, size: Size): string[][] =>
  reportSentences(report).map((sentence) => wrapped(sentence, bodyColumns(size)));

/** Lines of a calibration's report: sentences, and two tables, each with its head and a blank above. */
export const reportLines = (report: CalibrationReport, size: Size): number =>
  sentenceLines(report, size).flat().length +
  (report.corrections.length === 0 ? 0 : 2 + report.corrections.length) +
  (report.outcomes.length === 0 ? 0 : 2 + report.outcomes.length);

export const reportRoom = (size: Size): number => Math.max(1, bodyRows(size) - REPORT_HEAD);

/** How far the report of a calibration can scroll. */
export function lastReportLine(size: Size, { calibration }: CompareState): number {
  return calibration === undefined ? 0 : Math.max(0, reportLines(calibration, size) - reportRoom(size));
}
