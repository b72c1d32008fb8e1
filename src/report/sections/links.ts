/** What links carried of what they could: by class, and on the drawn machine. */
import { GRID, itemOf, namesAxis, valueAxis } from '../chart.js';
import type { Subject } from '../document.js';
import type { Figure } from '../figure.js';
import { colour } from '../figure.js';
import { LEVELS, drawingData, scaleOf } from '../topology/drawing.js';
import { drawNodes } from '../topology/nodes.js';
import { drawTorus } from '../topology/torus.js';
import { count, percent, size, whole } from '../words.js';

export const nothingSent = ({ step }: Subject): boolean => step.links.busiest === null;

function placementWords({ step: { placement } }: Subject): string {
  const axes = Object.entries(placement)
    .filter(([, on]) => on.length > 0)
    .map(([axis, on]) => `${axis} on ${on.join(' · ')}`);
  return axes.length === 0 ? '' : ` Mesh axes lie on: ${axes.join('; ')}.`;
}

function busiestWords({ step: { links } }: Subject): string {
  const { name, utilization } = links.busiest!;
  return `The busiest link, ${name}, carried ${percent(utilization)} of what it could during the step; the mean of ${count(links.count)} is ${percent(links.meanUtilization)}.`;
}

/** Of a torus by dimension, whose letter is the last of the name. */
const classesOf = ({ step: { links, slice } }: Subject): Subject['step']['links']['classes'] => {
  const key = ({ name }: { readonly name: string }): string => name.at(-1)! + name;
  return slice === null ? links.classes : links.classes.toSorted((a, b) => (key(a) < key(b) ? -1 : 1));
};

/** Links that are alike: a direction of a torus dimension, the ports into all nodes. */
export function linkClassesFigure(subject: Subject, id: string): Figure {
  const classes = classesOf(subject);
  const most = classes.map(({ busiest }) => busiest?.utilization ?? 0);
  return {
    id,
    title: 'How much of its links the step uses',
    label: busiestWords(subject),
    kind: 'chart',
    height: 60 + 26 * classes.length,
    data: {
      grid: { ...GRID, right: 150 },
      xAxis: valueAxis('percent', '', 0, { min: 0, max: Math.max(...most) > 0.5 ? 1 : undefined }),
      yAxis: namesAxis(classes.map(({ name }) => name)),
      tooltip: { trigger: 'item' },
      series: [
        {
          type: 'bar',
          barWidth: 16,
          silent: true,
          tooltip: { show: false },
          itemStyle: { color: colour('weak') },
          label: { show: true, position: 'right', color: 'var(--ink)' },
          data: classes.map(({ meanUtilization }, index) =>
            itemOf({
              value: most[index]!,
              tip: [],
              label: `mean ${whole(meanUtilization)}, most ${whole(most[index]!)}`,
            }),
          ),
        },
        {
          type: 'bar',
          barWidth: 16,
          barGap: '-100%',
          z: 3,
          data: classes.map(({ name, meanUtilization, count: links, totalBytes }, index) =>
            itemOf({
              value: meanUtilization,
              tip: [
                name,
                `${count(links)} links, ${size(totalBytes)}`,
                `mean ${percent(meanUtilization)}, most ${percent(most[index]!)}`,
              ],
              colour: colour('link'),
            }),
          ),
        },
      ],
    },
    note: `Dark: the mean of all links that are alike; light: the busiest of them. A share is of what the link can carry during the whole step at the rate that is reached in practice.${placementWords(subject)}`,
    table: {
      head: ['links', 'how many', 'carried', 'mean', 'most', 'the busiest'],
      rows: classes.map(({ name, count: links, totalBytes, meanUtilization, busiest }, index) => [
        name,
        count(links),
        size(totalBytes),
        percent(meanUtilization),
        percent(most[index]!),
        busiest?.name ?? '–',
      ]),
      right: [1, 2, 3, 4],
    },
  };
}

export function machineFigure(subject: Subject, id: string): Figure {
  const { machine, linkUtilization } = subject;
  const drawing =
    machine.slice === undefined ? drawNodes(machine, linkUtilization) : drawTorus(machine, linkUtilization);
  const classes = classesOf(subject);
  return {
    id,
    title: 'The machine, by how much its links are used',
    label: `${drawing.words}.`,
    kind: 'drawing',
    height: Math.round(scaleOf(drawing.width, drawing.height) * drawing.height) + 8,
    legend: LEVELS.map((name, level) => ({ name, colour: `u${level}` })),
    data: drawingData(drawing),
    note: 'Of two directions of a link the busier one is drawn; point at it for both.',
    table: {
      head: ['links', ...Array.from({ length: 10 }, (_, tenth) => `${tenth * 10}–${tenth * 10 + 10} %`)],
      rows: classes.map(({ name, histogram }) => [name, ...histogram.map(count)]),
    },
  };
}
