/**
 * Draws the figures of a report in the reader's browser. Each figure's data lies in the page as JSON beside its place. The
 * build makes one script of this folder and of what it takes of ECharts, which `page.ts` puts into the page.
 */
import { drawChart } from './chart.js';
import type { Chart, Fields } from './common.js';
import { drawMachine } from './machine.js';
import { drawTimeline } from './timeline.js';

const DRAW: Readonly<Record<string, (element: HTMLElement, data: Fields) => Chart>> = {
  chart: drawChart,
  timeline: drawTimeline,
  drawing: drawMachine,
};

const charts = new Map<HTMLElement, Chart>();

function draw(element: HTMLElement): void {
  if (charts.has(element)) return;
  const data = document.getElementById(element.id.replace(/-drawing$/, '-data'))!;
  charts.set(element, DRAW[element.dataset['kind']!]!(element, JSON.parse(data.textContent!) as Fields));
  element.dataset['drawn'] = 'true';
}

const elements = [...document.querySelectorAll<HTMLElement>('[data-kind]')];
const resized = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const chart = charts.get(target as HTMLElement);
    if (chart === undefined || (target as HTMLElement).clientWidth === chart.getWidth()) continue;
    chart.resize();
    target.dispatchEvent(new Event('resized'));
  }
});
// A figure is drawn when it is about to be seen: a report of many jobs opens at once.
const near = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) if (isIntersecting) draw(target as HTMLElement);
  },
  { rootMargin: '800px' },
);
for (const element of elements) {
  near.observe(element);
  resized.observe(element);
}

/** Between the margins of a sheet of paper, in CSS pixels: 210 mm less 2 × 12 mm. */
const PAPER = 700;

function fit(width: string): void {
  for (const element of elements) {
    draw(element);
    element.style.width = width;
    charts.get(element)!.resize();
    element.dispatchEvent(new Event('resized'));
  }
}
addEventListener('beforeprint', () => fit(`${PAPER}px`));
addEventListener('afterprint', () => fit(''));
