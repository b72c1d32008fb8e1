/** Pieces of what ECharts is told, all of it data: `page/draw.ts` puts functions where a word begins with `unit:`. */
import type { Json, JsonObject } from './figure.js';

export type Unit = 'time' | 'bytes' | 'percent' | 'flops' | 'number';

const AXIS_NAME = { nameLocation: 'middle', nameTextStyle: { color: 'var(--ink-2)' } } as const;
const LINE = { lineStyle: { color: 'var(--line)' } } as const;

/** Of numbers; `gap` is how far its name is from its line, in pixels. */
export const valueAxis = (unit: Unit, name: string, gap = 30, more: JsonObject = {}): JsonObject => ({
  type: 'value',
  name,
  nameGap: gap,
  ...AXIS_NAME,
  axisLabel: { color: 'var(--ink-2)', formatter: `unit:${unit}`, hideOverlap: true },
  axisLine: LINE,
  splitLine: LINE,
  ...more,
});

export const logAxis = (unit: Unit, name: string, gap = 30, more: JsonObject = {}): JsonObject => ({
  ...valueAxis(unit, name, gap),
  type: 'log',
  minorTick: { show: true },
  ...more,
});

/** Of names, the first at the top. */
export const namesAxis = (names: readonly string[], more: JsonObject = {}): JsonObject => ({
  type: 'category',
  data: names,
  inverse: true,
  axisTick: { show: false },
  axisLine: LINE,
  axisLabel: { color: 'var(--ink)' },
  ...more,
});

/** Labels and names of axes are inside of it. */
export const GRID = {
  left: 8,
  right: 24,
  top: 12,
  bottom: 8,
  outerBoundsMode: 'same',
  outerBoundsContain: 'all',
} as const;

export interface Item {
  readonly value: Json;
  /** Lines of what is shown beside the pointer. */
  readonly tip: readonly string[];
  readonly colour?: string;
  readonly label?: string;
  readonly size?: number;
  readonly symbol?: string;
  readonly hollow?: boolean;
}

/** A point or bar as ECharts has it. */
export const itemOf = ({ value, tip, colour, label, size, symbol, hollow = false }: Item): JsonObject => ({
  value,
  tip,
  ...(symbol === undefined ? {} : { symbol }),
  ...(size === undefined ? {} : { symbolSize: size }),
  itemStyle: hollow
    ? { color: 'var(--card)', borderColor: colour ?? 'var(--ink)', borderWidth: 2 }
    : { ...(colour === undefined ? {} : { color: colour }) },
  ...(label === undefined ? {} : { label: { show: true, formatter: label } }),
});

/** A line between points; nothing is shown beside the pointer. */
export const lineOf = (points: Json, style: JsonObject, more: JsonObject = {}): JsonObject => ({
  type: 'line',
  data: points,
  showSymbol: false,
  silent: true,
  tooltip: { show: false },
  lineStyle: { width: 1.5, ...style },
  ...more,
});
