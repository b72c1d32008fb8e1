/** Where the step's time goes, beside what no execution can beat. */
import { GRID, itemOf, namesAxis, valueAxis } from '../chart.js';
import type { Subject } from '../document.js';
import type { Figure } from '../figure.js';
import { colour } from '../figure.js';
import { listed, time, whole } from '../words.js';

const NEEDS = { compute: 'matmuls', memory: 'memory traffic', network: 'sending' } as const;

/** `memory traffic at peak rate` */
export const boundWords = ({ step: { bounds } }: Subject): string => `${NEEDS[bounds.limit]} at peak rate`;

/** Parts with bars of their own; smaller ones are together. */
const MOST_BARS = 9;

export function timeFigure(subject: Subject, id: string): Figure {
  const { step, parts } = subject;
  const { stepTimeSeconds, bounds } = step;
  const shown = parts.slice(0, MOST_BARS);
  const rest = parts.slice(MOST_BARS);
  const restSeconds = rest.reduce((total, { seconds }) => total + seconds, 0);
  const bars = [
    ...shown.map(({ name, seconds, colour: of }) => ({ name, seconds, colour: colour(of) })),
    ...(rest.length === 0 ? [] : [{ name: 'the rest', seconds: restSeconds, colour: colour('other') }]),
  ];
  const least = [
    ['compute', bounds.computeSeconds],
    ['memory', bounds.memorySeconds],
    ['network', bounds.networkSeconds],
  ] as const;
  // What is nothing at least bounds nothing, and would read as if it took no time.
  const binding = least.filter(([, seconds]) => seconds > 0);
  const leastBars = binding.map(([limit, seconds]) => ({
    name: `≥ ${NEEDS[limit]}`,
    seconds: seconds as number,
    colour: colour(limit === bounds.limit ? 'bound' : 'weak'),
  }));
  const all = [...bars, { name: '', seconds: 0, colour: 'transparent' }, ...leastBars];
  const share = (seconds: number): string => whole(seconds / stepTimeSeconds);
  const most = listed(bars.slice(0, 3).map(({ name, seconds }) => `${name} ${time(seconds)} (${share(seconds)})`));
  return {
    id,
    title: `Where the step's ${time(stepTimeSeconds)} go`,
    label: `Most of it: ${most}. ${boundSentence(subject)}`,
    kind: 'chart',
    height: 40 + 26 * all.length,
    data: {
      grid: { ...GRID, right: 90 },
      xAxis: valueAxis('time', '', 0),
      yAxis: namesAxis(all.map(({ name }) => name)),
      tooltip: { trigger: 'item' },
      series: [
        {
          type: 'bar',
          barWidth: 16,
          label: { show: true, position: 'right', color: 'var(--ink)' },
          data: all.map(({ name, seconds, colour: of }) =>
            itemOf({
              value: seconds,
              tip: [name, `${time(seconds)}, ${share(seconds)} of the step`],
              colour: of,
              label: name === '' ? '' : `${time(seconds)}  ${share(seconds)}`,
            }),
          ),
        },
      ],
    },
    note:
      'The parts add up to the step. Each piece of a kernel counts under what limits it, so a matmul that waits for memory is memory-bound. Below (≥) what this program takes at least on this machine: all of its matmuls, memory traffic or sending, each at its peak rate, whatever is overlapped.' +
      (bounds.memorySeconds > 0
        ? ''
        : ' Memory traffic bounds nothing here: an op that was measured on this machine takes no longer for more bytes.'),
    table: {
      head: ['part', 'time', 'of the step'],
      rows: [
        ...parts.map(({ name, seconds }) => [name, time(seconds), share(seconds)]),
        ...leastBars.map(({ name, seconds }) => [name, time(seconds), share(seconds)]),
      ],
    },
  };
}

/** What no execution beats, and what of the step that is. */
export function boundSentence(subject: Subject): string {
  const { bounds, boundShare } = subject.step;
  return `No execution of this program on this machine can be faster than ${time(bounds.seconds)} (${boundWords(subject)}), ${whole(boundShare)} of the step.`;
}
