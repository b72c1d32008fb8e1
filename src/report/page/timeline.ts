/** Draws rows of spans that can be zoomed: at any zoom, no more than there are pixels for. */
import { graphic } from 'echarts/core';
import type { Box, Chart, Fields, Pointed, RenderApi, RenderParams } from './common.js';
import { BASE, TOOLTIP, painted, start, tip } from './common.js';
import type { Drawn, EncodedLane, Encoding } from './spans.js';
import { decoded, iterationOf, nameOf, visible } from './spans.js';
import { TIME, unit } from './units.js';

/** Of a row's height, how much is drawn. */
const BAR = 0.75;
/** Pixels: what is narrower is drawn with its neighbours. */
const NARROW = 2;
/** The same of many rows, which would otherwise be slow to draw. */
const NARROW_OF_MANY = 4;
const MANY_LANES = 12;
/** Pixels of a span that has room for its name. */
const LEAST_NAMED = 56;
/** Of a letter in it, about. */
const LETTER = 7;

interface TimelineData {
  readonly seconds: number;
  readonly tick: number;
  /** Until and from when it is there span by span, if not all of it is. */
  readonly firstUntil?: number;
  readonly lastFrom?: number;
  readonly names: readonly string[];
  /** By name, of kernels: category and seconds in turn. */
  readonly mixes: readonly (readonly number[] | null)[];
  readonly iterations: readonly string[];
  readonly categories: readonly { readonly name: string; readonly colour: string }[];
  readonly lanes: readonly EncodedLane[];
}

const pairs = (flat: readonly number[]): [number, number][] =>
  Array.from({ length: flat.length / 2 }, (_, index) => [flat[2 * index]!, flat[2 * index + 1]!]);

const SLOTS: Readonly<Record<string, string>> = {
  forward: 'F',
  backward: 'B',
  'backward-input': 'B',
  'backward-weight': 'W',
};

/** What is written into a span: of an op the last part of its name, of a slot what papers write, of a bubble nothing. */
function shortName(name: string): string {
  if (name === 'bubble') return '';
  const [, slot = '', microbatch] = /^([\w-]+) (\d+)/.exec(name) ?? [];
  const letter = SLOTS[slot];
  return letter === undefined ? name.split('/').at(-1)! : `${letter}${microbatch!}`;
}

export function drawTimeline(element: HTMLElement, data: Fields): Chart {
  const chart = start(element);
  const { seconds, tick, names, iterations, categories, firstUntil, lastFrom, ...rest } =
    data as unknown as TimelineData;
  const encoding: Encoding = {
    tick,
    mixes: rest.mixes.map((mix) => (mix === null ? undefined : pairs(mix))),
    contention: categories.findIndex(({ colour }) => colour === 'var(--c-contention)'),
  };
  const lanes = rest.lanes.map((lane) => decoded(lane, encoding));
  let [from, to] = [0, seconds];
  let drawn: Drawn[] = [];
  const left = element.clientWidth < 600 ? 112 : 150;
  const look = (): number[][] => {
    const pixels = Math.max(100, chart.getWidth() - left - 24);
    const narrow = ((to - from) / pixels) * (lanes.length > MANY_LANES ? NARROW_OF_MANY : NARROW);
    drawn = lanes.flatMap((lane, index) => visible(lane, index, from, to, narrow));
    return drawn.map(({ lane, start: first, end }, index) => [lane, first, end, index]);
  };
  const label = (value: number): string => {
    const [scale, name] = TIME.find(([step]) => to >= step) ?? TIME.at(-1)!;
    const digits = Math.max(0, Math.min(9, Math.ceil(-Math.log10((to - from) / 8 / scale))));
    return `${(value / scale).toFixed(digits)} ${name}`;
  };
  const fullName = ({ lane, block }: Drawn): string => {
    const iteration = iterations[iterationOf(lanes[lane]!, block)] ?? '';
    return `${names[nameOf(lanes[lane]!, block)] ?? ''}${iteration === '' ? '' : ` @${iteration}`}`;
  };
  const ofSpan = ({ value }: Pointed): HTMLElement | string => {
    const one = drawn[value[3]!]!;
    const { name } = lanes[one.lane]!;
    const length = one.end - one.start;
    const when = `${unit('time')(length)} from ${label(one.start)}`;
    const found = one.seconds.flatMap((taken, category) => (taken > 0 ? [{ taken, ...categories[category]! }] : []));
    const title = one.spans === 1 ? fullName(one) : `${name}: ${one.spans} spans`;
    return tip(
      [title, when, ...found.map(({ name: what, taken }) => `${what} ${unit('percent')(taken / length)}`)],
      [undefined, undefined, ...found.map(({ colour }) => colour)],
    );
  };
  const renderItem = ({ coordSys }: RenderParams, api: RenderApi): unknown => {
    const one = drawn[api.value(3)]!;
    const [x, y] = api.coord([one.start, one.lane]);
    const [end] = api.coord([one.end, one.lane]);
    const clipped = (top: number, height: number): Box | undefined =>
      graphic.clipRectByRect({ x, y: top, width: Math.max(0.75, end - x), height }, coordSys);
    const length = one.end - one.start;
    const bar = (BAR * coordSys.height) / lanes.length;
    let bottom = y + bar / 2;
    const parts = one.seconds.flatMap((taken, category) => {
      const height = length === 0 ? bar : Math.min(1, taken / length) * bar;
      const shape = clipped((bottom -= height), height);
      if (shape === undefined || height < 0.2) return [];
      return [{ type: 'rect', shape, ...painted({ fill: categories[category]!.colour }) }];
    });
    const [first] = parts;
    const text = one.spans > 1 ? '' : shortName(names[nameOf(lanes[one.lane]!, one.block)] ?? '');
    const room = Math.min(LEAST_NAMED, LETTER * text.length + 6);
    if (text === '' || first === undefined || first.shape.width < room) return { type: 'group', children: parts };
    const { x: at, width } = first.shape;
    const name = {
      type: 'text',
      x: at + 3,
      y,
      ...painted({
        text,
        fill: 'var(--on-colour)',
        fontSize: 11,
        width: width - 6,
        overflow: 'truncate',
        verticalAlign: 'middle',
      }),
    };
    return { type: 'group', children: [...parts, name] };
  };
  const series = () => ({
    id: 'spans',
    type: 'custom',
    renderItem,
    clip: true,
    encode: { x: [1, 2], y: 0 },
    data: look(),
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
      axisLabel: { formatter: label, color: 'var(--ink-2)', hideOverlap: true, showMaxLabel: false },
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
      // Under a finger a page is to be scrolled; there are buttons and the bar.
      ...(matchMedia('(pointer: coarse)').matches
        ? []
        : [{ type: 'inside', filterMode: 'none', zoomOnMouseWheel: 'ctrl', moveOnMouseWheel: false, minSpan: 1e-4 }]),
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
  // ECharts keeps the wheel to itself, with Ctrl or without.
  for (const name of ['wheel', 'mousewheel'] as const)
    element.addEventListener(name, (event) => (event as WheelEvent).ctrlKey || event.stopPropagation(), {
      capture: true,
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
    first: () => [0, (100 * firstUntil!) / seconds],
    last: () => [(100 * lastFrom!) / seconds, 100],
  };
  for (const button of element.closest('figure')!.querySelectorAll<HTMLElement>('[data-zoom]')) {
    button.addEventListener('click', () => {
      const [first, last] = zooms[button.dataset['zoom']!]!(...span());
      chart.dispatchAction({ type: 'dataZoom', start: Math.max(0, first), end: Math.min(100, last) });
    });
  }
  return chart;
}
