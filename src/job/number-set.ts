/** Sets of whole numbers as people write them: `8`, `1,2,4`, `1..16`, `64..`, `256..1024+128`. */
import { MeshwrightError } from '../errors.js';

export interface NumberRange {
  readonly from: number;
  /** Infinity where the range has no upper end. */
  readonly to: number;
  /** Numbers of the range are this far apart; any of it where absent. */
  readonly step?: number;
}

/** Numbers of any of the ranges. */
export type NumberSet = readonly NumberRange[];

export const numbers = (...values: readonly number[]): NumberSet => values.map((value) => ({ from: value, to: value }));

export const hasNumber = (set: NumberSet, value: number): boolean =>
  set.some(({ from, to, step }) => value >= from && value <= to && (step === undefined || (value - from) % step === 0));

/** The one number of a set that has no other. */
export const onlyNumber = (set: NumberSet): number | undefined =>
  set.length === 1 && set[0]!.from === set[0]!.to ? set[0]!.from : undefined;

/**
 * The numbers of a set where nothing else says which of a range are meant: those of a range without a step double from
 * its lower end, and its upper end is one of them. Ascending.
 */
export function numbersOf(set: NumberSet): number[] {
  const found = new Set<number>();
  for (const { from, to, step } of set) {
    for (let value = from; value <= to; value = step === undefined ? 2 * value : value + step) found.add(value);
    if (step === undefined) found.add(to);
  }
  return [...found].sort((a, b) => a - b);
}

export const formatNumberSet = (set: NumberSet): string =>
  set
    .map(({ from, to, step }) => {
      if (from === to) return String(from);
      return `${from}..${to === Infinity ? '' : to}${step === undefined ? '' : `+${step}`}`;
    })
    .join(',');

export const NUMBER_SET = 'whole numbers of at least 1, as in 8 or 1,2,4 or 1..16 or 256..1024+128';

/** Nothing where a text is no set. */
export function readNumberSet(text: string): NumberSet | undefined {
  const ranges = text.split(',').map((part): NumberRange | undefined => {
    const [, low, dots, high, step] = /^\s*(\d*)(\.\.)?(\d*)(?:\+(\d+))?\s*$/.exec(part) ?? [];
    if (low === undefined || (low === '' && dots === undefined)) return undefined;
    if (dots === undefined && step !== undefined) return undefined;
    const from = low === '' ? 1 : Number(low);
    const to = dots === undefined ? from : high === '' ? Infinity : Number(high);
    if (from < 1 || to < from || !Number.isSafeInteger(from) || step === '0') return undefined;
    return { from, to, ...(step === undefined ? {} : { step: Number(step) }) };
  });
  return ranges.includes(undefined) ? undefined : (ranges as NumberSet);
}

/**
 * @param finite whether a range needs an upper end
 * @throws MeshwrightError JOB_INVALID
 */
export function parseNumberSet(text: string, place: string, finite = false): NumberSet {
  const set = readNumberSet(text);
  const isRight = set !== undefined && (!finite || set.every(({ to }) => Number.isFinite(to)));
  if (isRight) return set;
  const expected = finite ? `${NUMBER_SET}, each range with both ends` : NUMBER_SET;
  throw new MeshwrightError('JOB_INVALID', { place, expected, got: JSON.stringify(text) });
}
