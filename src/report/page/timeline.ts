/** Draws rows of spans that can be zoomed: at any zoom, no more than there are pixels for. */
import { graphic } from 'echarts/core';
import type { Chart, Fields, Pointed, RenderApi, RenderParams } from './common.js';
import { BASE, TOOLTIP, start, tip } from './common.js';
import type { DecodedLane, EncodedLane, Row } from './spans.js';
import { decoded, visible } from './spans.js';
import { TIME, unit } from './units.js';

const BAR = 16;

export function drawTimeline(element: HTMLElement, data: Fields): Chart {
  const chart = start(element);
  const { seconds, tick, names, iterations } = data as unknown as {
    seconds: number;
    tick: number;
    names: readonly string[];
    iterations: readonly string[];
  };
  const categories = data['categories'] as unknown as readonly { readonly name: string; readonly colour: string }[];
  const lanes = (data['lanes'] as unknown as EncodedLane[]).map((lane) => decoded(lane, tick));
  let [from, to] = [0, seconds];
  const left = element.clientWidth < 600 ? 84 : 150;
  const rows = (): Row[] =>
    lanes.flatMap((lane, index) => visible(lane, index, from, to, Math.max(100, chart.getWidth() - left - 24)));
  const label = (value: number): string => {
    const [scale, name] = TIME.find(([step]) => to >= step) ?? TIME.at(-1)!;
    const digits = Math.max(0, Math.min(9, Math.ceil(-Math.log10((to - from) / 8 / scale))));
    return `${(value / scale).toFixed(digits)} ${name}`;
  };
  const nameOf = (lane: DecodedLane, index: number): string => names[lane.facts[index * 4]!] ?? '';
  const iterationOf = (lane: DecodedLane, index: number): string => {
    const text = iterations[lane.facts[index * 4 + 1]!] ?? '';
    return text === '' ? '' : ` @${text}`;
  };
  const ofSpan = ({ value }: Pointed): HTMLElement | string => {
    const [laneIndex, spanStart, spanEnd, category, first, last] = value as unknown as Row;
    const lane = lanes[laneIndex]!;
    let count = 0;
    for (let index = first; index <= last; index++) count += lane.facts[index * 4 + 3]!;
    const what = categories[category]!.name;
    const length = unit('time')(spanEnd - spanStart);
    return count === 1
      ? tip([
          nameOf(lane, first) + iterationOf(lane, first),
          `${lane.name}: ${what}`,
          `${length}, from ${label(spanStart)}`,
        ])
      : tip([
          `${count} in a row, mostly ${what}`,
          `${lane.name}: ${length}, from ${label(spanStart)}`,
          `first: ${nameOf(lane, first)}${iterationOf(lane, first)}`,
        ]);
  };
  const renderItem = ({ coordSys }: RenderParams, api: RenderApi): unknown => {
    const laneIndex = api.value(0);
    const [x, y] = api.coord([api.value(1), laneIndex]);
    const [end] = api.coord([api.value(2), laneIndex]);
    const shape = graphic.clipRectByRect({ x, y: y - BAR / 2, width: Math.max(0.75, end - x), height: BAR }, coordSys);
    if (shape === undefined) return undefined;
    const [first, last] = [api.value(4), api.value(5)];
    const lane = lanes[laneIndex]!;
    const isOne = first === last && lane.facts[first * 4 + 3] === 1;
    const text = nameOf(lane, first).split('/').at(-1) ?? '';
    return {
      type: 'rect',
      shape,
      style: { fill: categories[api.value(3)]!.colour },
      ...(isOne && shape.width > 50
        ? {
            textContent: {
              type: 'text',
              style: { text, fill: 'var(--on-colour)', fontSize: 11, width: shape.width - 6, overflow: 'truncate' },
            },
            textConfig: { position: 'insideLeft', distance: 3 },
          }
        : {}),
    };
  };
  const series = () => ({
    id: 'spans',
    type: 'custom',
    renderItem,
    clip: true,
    encode: { x: [1, 2], y: 0 },
    data: rows(),
    emphasis: { disabled: true },
    animation: false,
  });
  chart.setOption({
    ...BASE,
    grid: { left, right: 24, top: 6, bottom: 78 },
    tooltip: { ...TOOLTIP, trigger: 'item', formatter: ofSpan },
    xAxis: {
      type: 'value',
      min: 0,
      max: seconds,
      axisLabel: { formatter: label, color: 'var(--ink-2)', hideOverlap: true },
      axisLine: { show: true, lineStyle: { color: 'var(--line)' } },
      splitLine: { lineStyle: { color: 'var(--line)' } },
    },
    yAxis: {
      type: 'category',
      data: lanes.map(({ name }) => name),
      inverse: true,
      axisTick: { show: false },
      axisLine: { show: false },
      axisLabel: { color: 'var(--ink)', width: left - 10, overflow: 'truncate', interval: 0 },
    },
    dataZoom: [
      { type: 'inside', filterMode: 'none', zoomOnMouseWheel: 'ctrl', moveOnMouseWheel: false, minSpan: 1e-4 },
      {
        type: 'slider',
        filterMode: 'none',
        bottom: 12,
        height: 20,
        showDetail: false,
        showDataShadow: false,
        brushSelect: false,
        borderColor: 'var(--line)',
        fillerColor: 'var(--weak)',
        handleStyle: { color: 'var(--card)', borderColor: 'var(--ink-2)' },
        moveHandleStyle: { color: 'var(--ink-2)' },
        minSpan: 1e-4,
      },
    ],
    series: [series()],
  });
  const span = (): [number, number] => {
    const { dataZoom } = chart.getOption() as { dataZoom: [{ start: number; end: number }] };
    const [zoom] = dataZoom;
    return [zoom.start, zoom.end];
  };
  const redraw = (): void => {
    const [first, last] = span();
    [from, to] = [(first / 100) * seconds, (last / 100) * seconds];
    chart.setOption({ series: [series()] });
    element.dataset['from'] = String(from);
    element.dataset['to'] = String(to);
  };
  let isAsked = false;
  const redrawSoon = (): void => {
    if (isAsked) return;
    isAsked = true;
    requestAnimationFrame(() => {
      isAsked = false;
      redraw();
    });
  };
  chart.on('datazoom', redrawSoon);
  element.addEventListener('resized', redrawSoon);
  const zooms: Readonly<Record<string, (first: number, last: number) => readonly [number, number]>> = {
    in: (first, last) => [first + (last - first) / 4, last - (last - first) / 4],
    out: (first, last) => [first - (last - first) / 2, last + (last - first) / 2],
    earlier: (first, last) => {
      const by = Math.min(first, (last - first) / 2);
      return [first - by, last - by];
    },
    later: (first, last) => {
      const by = Math.min(100 - last, (last - first) / 2);
      return [first + by, last + by];
    },
    all: () => [0, 100],
  };
  for (const button of element.closest('figure')!.querySelectorAll<HTMLElement>('[data-zoom]')) {
    button.addEventListener('click', () => {
      const [first, last] = zooms[button.dataset['zoom']!]!(...span());
      chart.dispatchAction({ type: 'dataZoom', start: Math.max(0, first), end: Math.min(100, last) });
    });
  }
  return chart;
}
