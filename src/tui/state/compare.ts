/** The last screen: what was predicted against what was measured. Only arithmetic and scrolling. */
import type { Comparison, ComparisonRow } from '../services.js';

/** A prediction's error, as a share of what was measured: positive when it said too much. */
export const relativeError = (predicted: number, measured: number): number =>
  measured === 0 ? Number.NaN : predicted / measured - 1;

export interface ComparedFigure {
  readonly label: string;
  readonly predicted: number;
  readonly measured: number;
  readonly repredicted: number | undefined;
}

export const stepTimes = ({ rows }: Comparison): ComparedFigure[] =>
  rows.map((row: ComparisonRow) => ({
    label: row.label,
    predicted: row.predictedStepTimeSeconds,
    measured: row.measuredStepTimeSeconds,
    repredicted: row.repredictedStepTimeSeconds,
  }));

export const utilizations = ({ rows }: Comparison): ComparedFigure[] =>
  rows.map((row: ComparisonRow) => ({
    label: row.label,
    predicted: row.predictedMfu,
    measured: row.measuredMfu,
    repredicted: row.repredictedMfu,
  }));

export interface KindDifference {
  readonly kind: string;
  readonly predictedSeconds: number;
  readonly measuredSeconds: number;
  readonly differenceSeconds: number;
}

/** Differences by kind, the largest first: that is where to look. */
export function differences({ byKind }: Comparison): KindDifference[] {
  return byKind
    .map((row) => ({ ...row, differenceSeconds: row.measuredSeconds - row.predictedSeconds }))
    .toSorted((a, b) => Math.abs(b.differenceSeconds) - Math.abs(a.differenceSeconds));
}

/** Mean size of the errors; of those rows that have one. */
export function meanError(figures: readonly ComparedFigure[], which: 'predicted' | 'repredicted'): number | undefined {
  const errors = figures
    .map((figure) => relativeError(figure[which] ?? Number.NaN, figure.measured))
    .filter((error) => Number.isFinite(error));
  return errors.length === 0 ? undefined : errors.reduce((sum, error) => sum + Math.abs(error), 0) / errors.length;
}

/** Lines of the screen's scrolled part: a sentence, two tables and the kinds, each with its head, a line between. */
export function lineCount({ rows, byKind }: Comparison): number {
  const table = 1 + rows.length;
  return 1 + table + 1 + table + (byKind.length === 0 ? 0 : 2 + byKind.length);
}
