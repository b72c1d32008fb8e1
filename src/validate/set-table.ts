/** The errors of each set as a table, wherever it is shown. */
import { formatPercent } from '../units.js';
import type { Errors, SetResult } from './document.js';

const DASH = '–';

/** A share in percent, a dash where there is none. */
export const percentCell = (value: number | null | undefined): string => (value == null ? DASH : formatPercent(value));

/** The same with its sign. */
export const signedCell = (value: number | null | undefined): string =>
  value == null ? DASH : `${value > 0 ? '+' : ''}${formatPercent(value)}`;

const errorCells = (errors: Errors | null): string[] => [
  percentCell(errors?.mean),
  percentCell(errors?.median),
  percentCell(errors?.worst),
  signedCell(errors?.bias),
];

export const SET_HEAD = [
  'set',
  'predicted',
  'mean',
  'median',
  'worst',
  'bias',
  'yardstick',
  'memory',
  'fits right',
  'said to fit / not to',
] as const;

/** Under `SET_HEAD`. */
export const setCells = ({ set, rows, predicted, stepTime, yardstick, memory, fits }: SetResult): string[] => [
  set,
  `${predicted}/${rows}`,
  ...errorCells(stepTime),
  percentCell(yardstick?.mean),
  percentCell(memory?.mean),
  fits === null ? DASH : `${formatPercent(fits.right / fits.count)} of ${fits.count}`,
  fits === null ? DASH : `${fits.wronglyFits} / ${fits.wronglyDoesNotFit}`,
];
