/** Figures and words as the UI writes them; quantities with units are src/units.ts's. */
import { bytes, dollars, formatBytes, formatDollars, formatPercent, formatSeconds, seconds } from '../../units.js';

export const clock = (value: number): string => formatSeconds(seconds(value));
export const memory = (value: number): string => formatBytes(bytes(value));

export const money = (value: number): string => formatDollars(dollars(value));

/** In whole percents; what is there at all is never `0 %`. */
export function share(part: number, whole: number): string {
  if (!(whole > 0)) return '-';
  return part > 0 && part / whole < 0.005 ? '<1 %' : formatPercent(part / whole, 0);
}

/** Keeps figures and their units on one line where a text is wrapped. */
export const unbroken = (text: string): string =>
  text.replace(/(\d) (?=(?:%|[µmn]?s|[kMGTP]?B)(?![\p{L}\d]))/gu, '$1\u00A0');

/** `−12.3 %`, `+4.0 %`, `+131 %`: seven cells up to fifty times; a dash where there is nothing to compare with. */
export const signedPercent = (ratio: number): string =>
  Number.isFinite(ratio)
    ? `${ratio < 0 ? '−' : '+'}${formatPercent(Math.abs(ratio), Math.abs(ratio) < 0.9995 ? 1 : 0)}`
    : '-';

/** `+1.2 ms` */
export const signedClock = (value: number): string => `${value < 0 ? '−' : '+'}${clock(Math.abs(value))}`;

/** `138,224` */
export const count = (value: number): string => value.toLocaleString('en-US');

/** `1.25 M`, `874`: counts with a rate's precision. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const scale = [
    [1e9, ' G'],
    [1e6, ' M'],
    [1e4, ' k'],
  ] as const;
  const [unit, name] = scale.find(([least]) => Math.abs(value) >= least) ?? [1, ''];
  return `${Number((value / (unit === 1e4 ? 1e3 : unit)).toPrecision(3))}${name}`;
}

/** `1 h 5 min`, `3 min 20 s`, `12 s`: for waiting, where three digits are too many. */
export function wait(value: number): string {
  const whole = Math.max(0, Math.ceil(value));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min ${rest} s` : `${rest} s`;
}

/** `1 run`, `3 runs` */
export const wordsIn = (count: number, one: string, many: string): string => `${count} ${count === 1 ? one : many}`;

export const width = (text: string): number => [...text].length;

/** Exactly `columns` wide: cut with an ellipsis, or filled with spaces. */
export function fit(text: string, columns: number, ellipsis: string, align: 'left' | 'right' = 'left'): string {
  const characters = [...text];
  const cut = characters.length > columns ? characters.slice(0, Math.max(0, columns - 1)).join('') + ellipsis : text;
  const space = ' '.repeat(Math.max(0, columns - width(cut)));
  return align === 'left' ? cut + space : space + cut;
}
