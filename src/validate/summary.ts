/** From predicted rows to the errors of each set. */
import { max, mean, median } from 'simple-statistics';
import type { Errors, FitCounts, PredictedRow, Prediction, SetResult, ValidationDocument } from './document.js';
import type { Half } from './halves.js';
import { halvesOf } from './halves.js';
import type { Row, UnusableRow } from './row.js';
import { yardstickTimes } from './yardstick.js';

interface Pair {
  readonly predicted: number;
  readonly measured: number;
}

const pair = (predicted: number | null | undefined, measured: number | null | undefined): Pair[] =>
  predicted == null || measured == null ? [] : [{ predicted, measured }];

/** Nothing of no pairs. */
export function errorsOf(pairs: readonly Pair[]): Errors | null {
  if (pairs.length === 0) return null;
  const signed = pairs.map(({ predicted, measured }) => (predicted - measured) / measured);
  const sizes = signed.map(Math.abs);
  return { count: pairs.length, mean: mean(sizes), median: median(sizes), worst: max(sizes), bias: mean(signed) };
}

export function countFits(rows: readonly Pick<PredictedRow, 'measuredFits' | 'predictedFits'>[]): FitCounts | null {
  const both = rows.filter(({ measuredFits, predictedFits }) => measuredFits !== null && predictedFits !== null);
  if (both.length === 0) return null;
  const where = (measured: boolean, predicted: boolean): number =>
    both.filter(({ measuredFits, predictedFits }) => measuredFits === measured && predictedFits === predicted).length;
  return {
    count: both.length,
    right: where(true, true) + where(false, false),
    wronglyFits: where(false, true),
    wronglyDoesNotFit: where(true, false),
  };
}

const meanOf = (values: readonly (number | null | undefined)[]): number | null => {
  const known = values.filter((value) => value != null);
  return known.length === 0 ? null : mean(known);
};

const stepTimeErrors = (rows: readonly PredictedRow[]): Errors | null =>
  errorsOf(rows.flatMap((row) => pair(row.predictedStepTimeSeconds, row.measuredStepTimeSeconds)));

const outcomeOf = ({ id, set, reason, measured }: UnusableRow): PredictedRow => ({
  id,
  set,
  stack: null,
  chip: null,
  model: null,
  half: null,
  status: 'unsupported',
  reason,
  measuredStepTimeSeconds: measured.stepTimeSeconds ?? null,
  predictedStepTimeSeconds: null,
  measuredMemoryBytesPerChip: measured.memoryBytesPerChip ?? null,
  predictedMemoryBytesPerChip: null,
  measuredFits: measured.fits ?? null,
  predictedFits: null,
  plan: null,
  notes: [],
});

/** Of rows with one id each is counted, and says so. */
function sharedIds(rows: readonly { readonly id: string }[]): (id: string) => string[] {
  const counts = new Map<string, number>();
  for (const { id } of rows) counts.set(id, (counts.get(id) ?? 0) + 1);
  return (id) => (counts.get(id)! === 1 ? [] : [`${counts.get(id)!} rows have this id`]);
}

/**
 * @param rows and `predicted`: of the same runs, in the same order
 * @param unusable how many more there are
 */
function resultOf(set: string, rows: readonly Row[], predicted: readonly PredictedRow[], unusable: number): SetResult {
  const times = yardstickTimes(rows);
  const ofHalf = (half: Half): Errors | null => stepTimeErrors(predicted.filter((row) => row.half === half));
  return {
    set,
    rows: rows.length + unusable,
    predicted: predicted.filter(({ status }) => status === 'predicted').length,
    unsupported: predicted.filter(({ status }) => status === 'unsupported').length + unusable,
    stepTime: stepTimeErrors(predicted),
    halves: { a: ofHalf('a'), b: ofHalf('b') },
    yardstick: errorsOf(rows.flatMap((row, index) => pair(times[index], row.measured.stepTimeSeconds))),
    memory: errorsOf(predicted.flatMap((row) => pair(row.predictedMemoryBytesPerChip, row.measuredMemoryBytesPerChip))),
    fits: countFits(predicted),
  };
}

/**
 * Sets come in the order in which the file first names them in a row that can be used.
 *
 * @param unusable counted, and named last
 */
export function summarize(
  rows: readonly Row[],
  predictions: readonly Prediction[],
  unusable: readonly UnusableRow[] = [],
): ValidationDocument {
  const halves = halvesOf(rows);
  const notesOf = sharedIds([...rows, ...unusable]);
  const predicted = predictions.map((row, index): PredictedRow => ({
    ...row,
    half: halves[index]!,
    notes: [...row.notes, ...notesOf(row.id)],
  }));
  const sets = [...new Set([...rows, ...unusable].map(({ set }) => set))].map((set) => {
    const members = rows.flatMap((row, index) => (row.set === set ? [index] : []));
    return resultOf(
      set,
      members.map((index) => rows[index]!),
      members.map((index) => predicted[index]!),
      unusable.filter((row) => row.set === set).length,
    );
  });
  return {
    schema: 'meshwright/validation@1',
    sets,
    meanOfSetMeans: meanOf(sets.map(({ stepTime }) => stepTime?.mean)),
    yardstickMeanOfSetMeans: meanOf(sets.map(({ stepTime, yardstick }) => stepTime && yardstick?.mean)),
    rows: [...predicted, ...unusable.map((row) => ({ ...outcomeOf(row), notes: notesOf(row.id) }))],
  };
}
