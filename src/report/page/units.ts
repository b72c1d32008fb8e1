/** Numbers with their units, as axes and what is beside the pointer have them. */

type Steps = readonly (readonly [number, string])[];

const DECIMAL: Steps = [
  [1e15, 'P'],
  [1e12, 'T'],
  [1e9, 'G'],
  [1e6, 'M'],
  [1e3, 'k'],
  [1, ''],
];
export const TIME: Steps = [
  [1, 's'],
  [1e-3, 'ms'],
  [1e-6, 'µs'],
  [1e-9, 'ns'],
];

function scaled(value: number, steps: Steps, suffix: string): string {
  if (value === 0) return '0';
  const [scale, prefix] = steps.find(([step]) => Math.abs(value) >= step * 0.9999) ?? steps.at(-1)!;
  return `${Number((value / scale).toPrecision(3))} ${prefix}${suffix}`.trim();
}

const UNITS: Readonly<Record<string, (value: number) => string>> = {
  time: (value) => scaled(value, TIME, ''),
  bytes: (value) => scaled(value, DECIMAL, 'B'),
  flops: (value) => scaled(value, DECIMAL, 'FLOP/s'),
  percent: (value) => `${Number((value * 100).toPrecision(3))} %`,
  number: (value) => value.toLocaleString('en', { maximumSignificantDigits: 3 }),
};
export const unit = (name: string): ((value: number) => string) => UNITS[name] ?? String;
