/*! Contains Apache ECharts (Apache-2.0) with zrender (BSD-3-Clause) and tslib (0BSD). */
/** What all figures have in common: the library, colours of the style sheet, what is shown beside the pointer. */
import { BarChart, CustomChart, LineChart, ScatterChart } from 'echarts/charts';
import {
  DataZoomComponent,
  GridComponent,
  MarkAreaComponent,
  MarkLineComponent,
  TooltipComponent,
} from 'echarts/components';
import { init, use } from 'echarts/core';
import { LabelLayout } from 'echarts/features';
import { SVGRenderer } from 'echarts/renderers';

use([
  BarChart,
  CustomChart,
  LineChart,
  ScatterChart,
  DataZoomComponent,
  GridComponent,
  MarkAreaComponent,
  MarkLineComponent,
  TooltipComponent,
  LabelLayout,
  SVGRenderer,
]);

/** As the page has it. */
export type Value = string | number | boolean | null | undefined | readonly Value[] | { readonly [key: string]: Value };
export type Fields = Readonly<Record<string, Value>>;

/** Of what ECharts does, what is used here. */
export interface Chart {
  setOption(option: object): void;
  getOption(): object;
  on(event: string, handler: () => void): void;
  dispatchAction(action: { readonly type: string; readonly start: number; readonly end: number }): void;
  getWidth(): number;
  resize(): void;
}

export interface RenderApi {
  value(dimension: number): number;
  coord(point: readonly [number, number]): [number, number];
}

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface RenderParams {
  readonly coordSys: Box;
}

export interface Pointed {
  readonly value: readonly number[];
  readonly data: Fields;
  readonly seriesName: string;
  readonly axisValue: number;
  readonly color: string;
}

/** Lines beside the pointer: as text, so that nothing in a name is markup. */
export function tip(lines: readonly string[], colours: readonly (string | undefined)[] = []): HTMLElement | string {
  if (lines.length === 0) return '';
  const all = document.createElement('div');
  all.className = 'tip';
  lines.forEach((text, index) => {
    const line = document.createElement('div');
    const colour = colours[index];
    if (colour !== undefined) {
      const swatch = document.createElement('span');
      swatch.className = 'swatch';
      swatch.style.background = colour;
      line.append(swatch);
    }
    line.append(text);
    all.append(line);
  });
  return all;
}

export const BASE = {
  animation: false,
  backgroundColor: 'transparent',
  textStyle: { fontFamily: 'system-ui, sans-serif', color: 'var(--ink)' },
};
export const TOOLTIP = {
  confine: true,
  transitionDuration: 0,
  backgroundColor: 'var(--card)',
  borderColor: 'var(--line)',
  textStyle: { color: 'var(--ink)', fontSize: 13 },
  extraCssText: 'max-width:min(28rem,90vw);white-space:normal;overflow-wrap:anywhere',
};

export const start = (element: HTMLElement): Chart => init(element, null, { renderer: 'svg' }) as Chart;

/**
 * How a shape of our own is painted, pointed at or not: left to itself ECharts would lighten the colour, and those of the
 * style sheet are nothing that it can calculate with.
 */
export const painted = (style: object) => ({ style, emphasis: { style } });
