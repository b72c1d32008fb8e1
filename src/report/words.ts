/** How numbers are written in a report; a value and its unit stay on one line. */
import { relativeError } from '../trace/index.js';
import {
  bytes,
  flopsPerSecond,
  formatBytes,
  formatFlopsPerSecond,
  formatPercent,
  formatSeconds,
  seconds,
} from '../units.js';

const unbroken = (text: string): string => text.replaceAll(' ', '\u00a0');

export const time = (value: number): string => unbroken(formatSeconds(seconds(value)));
export const size = (value: number): string => unbroken(formatBytes(bytes(value)));
export const rate = (value: number): string => unbroken(formatFlopsPerSecond(flopsPerSecond(value)));
/** One decimal: `51.3 %`. */
export const percent = (share: number): string => unbroken(formatPercent(share));
/** Without decimals, what is there but small `<1 %`. */
export const whole = (share: number): string => unbroken(share > 0 && share < 0.005 ? '<1 %' : formatPercent(share, 0));
/** `−3.1 %` where 3.1 % too little was predicted. */
export function error(predicted: number, measured: number): string {
  const off = relativeError(predicted, measured);
  return `${off >= 0 ? '+' : '−'}${percent(Math.abs(off))}`;
}

const grouped = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });
export const count = (value: number): string => grouped.format(value);
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 });
/** Three digits: `2.97T`. */
export const short = (value: number): string => compact.format(value);

/** `a, b and c` */
export const listed = (items: readonly string[]): string =>
  items.length < 2 ? (items[0] ?? '') : `${items.slice(0, -1).join(', ')} and ${items.at(-1)!}`;
