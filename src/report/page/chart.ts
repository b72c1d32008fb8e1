/** Draws what ECharts has kinds of charts for. */
import type { Chart, Fields, Pointed, Value } from './common.js';
import { BASE, TOOLTIP, start, tip } from './common.js';
import { unit } from './units.js';

/** Options as the page has them, with functions where a text stands for one. */
function prepared(value: Value, key = ''): unknown {
  if (Array.isArray(value)) return value.map((one: Value) => prepared(one));
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value as Fields).map(([name, one]) => [name, prepared(one, name)]));
  if (key !== 'formatter' || typeof value !== 'string') return value;
  return value.startsWith('unit:') ? unit(value.slice(5)) : () => value;
}

/** Colours are of the style sheet, which ECharts can't make lighter. */
const still = (series: unknown): unknown => ({ ...(series as object), emphasis: { disabled: true } });

export function drawChart(element: HTMLElement, data: Fields): Chart {
  const chart = start(element);
  const { tooltip, axisTip, series, ...rest } = data;
  const isAxis = (tooltip as Fields | undefined)?.['trigger'] === 'axis';
  const [first = '', second = ''] = (axisTip as readonly string[] | undefined) ?? [];
  const ofAxis = (points: readonly Pointed[]): HTMLElement | string => {
    const found = points.filter(({ value }) => value[1]! > 0).toReversed();
    const total = found.reduce((sum, { value }) => sum + value[1]!, 0);
    return tip(
      [
        `at ${unit(first)(points[0]!.axisValue)}: ${unit(second)(total)}`,
        ...found.map(({ seriesName, value }) => `${seriesName} ${unit(second)(value[1]!)}`),
      ],
      [undefined, ...found.map(({ color }) => color)],
    );
  };
  const ofItem = ({ data: item }: Pointed): HTMLElement | string => tip((item?.['tip'] as string[] | undefined) ?? []);
  chart.setOption({
    ...BASE,
    ...(prepared(rest) as object),
    tooltip: { ...TOOLTIP, ...(tooltip as object), formatter: isAxis ? ofAxis : ofItem, axisPointer: { type: 'line' } },
    series: (prepared(series) as unknown[]).map(still),
  });
  return chart;
}
