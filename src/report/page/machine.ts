/** Draws a machine: lines and boxes in units of its own, to one scale. */
import type { Chart, Fields, Pointed, RenderApi, RenderParams } from './common.js';
import { BASE, TOOLTIP, painted, start, tip } from './common.js';

/** Numbers of a line or a box in the page's data. */
const NUMBERS = 5;

export function drawMachine(element: HTMLElement, data: Fields): Chart {
  const chart = start(element);
  const { width, height, lines, lineTips, boxes, boxTips, boxNames } = data as unknown as {
    width: number;
    height: number;
    lines: readonly number[];
    lineTips: readonly string[];
    boxes: readonly number[];
    boxTips: readonly string[];
    boxNames: readonly string[];
  };
  const colourOf = (level: number): string => `var(--c-u${level})`;
  const line = (index: number, scale: number): unknown => {
    const [x1, y1, x2, y2, level] = lines.slice(index * NUMBERS).map((value) => value * scale) as [
      number,
      number,
      number,
      number,
      number,
    ];
    return {
      type: 'line',
      shape: { x1, y1, x2, y2 },
      ...painted({ stroke: colourOf(Math.round(level / scale)), lineWidth: Math.max(1.5, scale * 0.14) }),
    };
  };
  const box = (index: number, scale: number): unknown => {
    const [x, y, w, h] = boxes.slice(index * NUMBERS, index * NUMBERS + 4).map((value) => value * scale) as [
      number,
      number,
      number,
      number,
    ];
    const level = boxes[index * NUMBERS + 4]!;
    const name = boxNames[index]!;
    const isFrame = level < 0 && lines.length === 0;
    return {
      type: 'rect',
      shape: { x, y, width: w, height: h, r: isFrame ? 3 : 1 },
      ...painted(
        isFrame
          ? { fill: 'transparent', stroke: 'var(--line)', lineWidth: 1 }
          : { fill: level < 0 ? 'var(--ink-2)' : colourOf(level) },
      ),
      ...(name === ''
        ? {}
        : {
            textContent: { type: 'text', ...painted({ text: name, fill: 'var(--ink-2)', fontSize: 11 }) },
            textConfig: { position: 'top', distance: 2 },
          }),
    };
  };
  const lineCount = lines.length / NUMBERS;
  const renderItem = ({ coordSys }: RenderParams, api: RenderApi): unknown => {
    const scale = Math.min(coordSys.width / width, coordSys.height / height);
    const index = api.value(2);
    return index < lineCount ? line(index, scale) : box(index - lineCount, scale);
  };
  const hidden = { type: 'value', min: 0, max: 1, show: false };
  chart.setOption({
    ...BASE,
    grid: { left: 4, right: 4, top: 4, bottom: 4 },
    xAxis: hidden,
    yAxis: hidden,
    tooltip: {
      ...TOOLTIP,
      trigger: 'item',
      formatter: ({ value }: Pointed) => {
        const index = value[2]!;
        return tip([index < lineCount ? lineTips[index]! : boxTips[index - lineCount]!]);
      },
    },
    series: [
      {
        type: 'custom',
        renderItem,
        encode: { x: 0, y: 1 },
        emphasis: { disabled: true },
        data: Array.from({ length: lineCount + boxes.length / NUMBERS }, (_, index) => [0.5, 0.5, index]),
      },
    ],
  });
  return chart;
}
