/** Quantities with their units in the type, parsed from and printed for people. No arithmetic beyond what keeps a unit. */
import { MeshwrightError } from './errors.js';

declare const unit: unique symbol;
type Quantity<U extends string> = number & { readonly [unit]: U };

export type Seconds = Quantity<'s'>;
export type Bytes = Quantity<'B'>;
export type Flops = Quantity<'FLOP'>;
export type BytesPerSecond = Quantity<'B/s'>;
export type FlopsPerSecond = Quantity<'FLOP/s'>;
export type Watts = Quantity<'W'>;
export type Joules = Quantity<'J'>;
export type Dollars = Quantity<'USD'>;
export type DollarsPerHour = Quantity<'USD/h'>;

export const seconds = (value: number): Seconds => value as Seconds;
export const bytes = (value: number): Bytes => value as Bytes;
export const flops = (value: number): Flops => value as Flops;
export const bytesPerSecond = (value: number): BytesPerSecond => value as BytesPerSecond;
export const flopsPerSecond = (value: number): FlopsPerSecond => value as FlopsPerSecond;
export const joules = (value: number): Joules => value as Joules;
export const dollars = (value: number): Dollars => value as Dollars;

/** Time to move `amount` at `rate`. */
export const transferTime = (amount: Bytes, rate: BytesPerSecond): Seconds => (amount / rate) as Seconds;
/** Time to compute `amount` at `rate`. */
export const computeTime = (amount: Flops, rate: FlopsPerSecond): Seconds => (amount / rate) as Seconds;

export const sum = <Q extends number>(values: Iterable<Q>): Q => {
  let total = 0;
  for (const value of values) total += value;
  return total as Q;
};

const DECIMAL = { '': 1, k: 1e3, K: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15 } as const;
const BINARY = { Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40 } as const;

const scales = (prefixes: Record<string, number>, suffix: string): [string, number][] =>
  Object.entries(prefixes).map(([prefix, scale]) => [prefix + suffix, scale]);

const UNITS = {
  time: new Map<string, number>([
    ['s', 1],
    ['ms', 1e-3],
    ['us', 1e-6],
    ['µs', 1e-6],
    ['ns', 1e-9],
  ]),
  bytes: new Map<string, number>([...scales(DECIMAL, 'B'), ...scales(BINARY, 'B')]),
  bytesPerSecond: new Map<string, number>([...scales(DECIMAL, 'B/s'), ...scales(BINARY, 'B/s')]),
  flopsPerSecond: new Map<string, number>(scales(DECIMAL, 'FLOP/s')),
  power: new Map<string, number>([
    ['W', 1],
    ['kW', 1e3],
    ['MW', 1e6],
  ]),
  price: new Map<string, number>([['USD/h', 1]]),
} as const;

export type Dimension = keyof typeof UNITS;

export interface DimensionTypes {
  time: Seconds;
  bytes: Bytes;
  bytesPerSecond: BytesPerSecond;
  flopsPerSecond: FlopsPerSecond;
  power: Watts;
  price: DollarsPerHour;
}

/**
 * Reads a quantity such as `1.2 TB/s`. A bare number is refused: it has no unit.
 *
 * @throws MeshwrightError QUANTITY_INVALID when the unit is missing or wrong, or the amount is negative.
 */
export function parseQuantity<D extends Dimension>(text: unknown, dimension: D, place: string): DimensionTypes[D] {
  const units = UNITS[dimension];
  const expected = `a quantity of at least zero with a unit (${[...units.keys()].slice(0, 6).join(', ')})`;
  const match = typeof text === 'string' ? /^\s*([-+]?\d[\d_]*(?:\.\d+)?(?:e[-+]?\d+)?)\s*(\S*)\s*$/i.exec(text) : null;
  const scale = match ? units.get(match[2]!) : undefined;
  const amount = match ? Number(match[1]!.replaceAll('_', '')) : Number.NaN;
  if (scale === undefined || !(amount >= 0) || !Number.isFinite(amount)) {
    throw new MeshwrightError('QUANTITY_INVALID', { place, expected, got: JSON.stringify(text) ?? String(text) });
  }
  return (amount * scale) as DimensionTypes[D];
}

const DURATIONS = [
  [86400, 'days'],
  [3600, 'hours'],
  [60, 'minutes'],
] as const;

function formatScaled(value: number, steps: readonly (readonly [number, string])[]): string {
  if (value === 0 || !Number.isFinite(value)) return `${value} ${steps.at(-1)![1]}`;
  const [scale, name] = steps.find(([step]) => Math.abs(value) >= step) ?? steps.at(-1)!;
  return `${Number((value / scale).toPrecision(3))} ${name}`;
}

const decimalSteps = (suffix: string) =>
  (['P', 'T', 'G', 'M', 'k', ''] as const).map((prefix) => [DECIMAL[prefix], prefix + suffix] as const);

export const formatSeconds = (value: Seconds): string =>
  formatScaled(value, [
    [1, 's'],
    [1e-3, 'ms'],
    [1e-6, 'µs'],
    [1e-9, 'ns'],
  ]);
export const formatBytes = (value: Bytes): string => formatScaled(value, decimalSteps('B'));

/** Without a space and without loss: `25MB`, `64MiB`, `1500B`. @param value whole bytes */
export function formatExactBytes(value: Bytes): string {
  const [unit, scale] = [...UNITS.bytes]
    .filter(([, size]) => value % size === 0)
    .reduce((best, one) => (one[1] > best[1] ? one : best));
  return `${value / scale}${unit}`;
}
export const formatFlops = (value: Flops): string => formatScaled(value, decimalSteps('FLOP'));
export const formatBytesPerSecond = (value: BytesPerSecond): string => formatScaled(value, decimalSteps('B/s'));
export const formatFlopsPerSecond = (value: FlopsPerSecond): string => formatScaled(value, decimalSteps('FLOP/s'));
export const formatPercent = (ratio: number, digits = 1): string => `${(ratio * 100).toFixed(digits)} %`;
/** In watt-hours, which bills are in. */
export const formatJoules = (value: Joules): string => formatScaled(value / 3600, decimalSteps('Wh'));
/** `12300 USD`, `4.56 million USD`. */
export const formatDollars = (value: Dollars): string =>
  formatScaled(value, [
    [1e6, 'million USD'],
    [1, 'USD'],
  ]);
/** `30 days`, `5.2 hours`, `12 minutes`: what people plan a training in. */
export function formatDuration(value: Seconds): string {
  const [scale, name] = DURATIONS.find(([step]) => value >= step) ?? [1, 'seconds'];
  return `${Number((value / scale).toPrecision(3))} ${name}`;
}
