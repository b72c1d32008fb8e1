/** Several jobs in one figure and one table. */
import { GRID, itemOf, namesAxis, valueAxis } from '../chart.js';
import type { Subject } from '../document.js';
import type { Figure, Table } from '../figure.js';
import { colour } from '../figure.js';
import { count, error, percent, short, time, whole } from '../words.js';
import { memoryWords } from './memory.js';
import { boundWords } from './time.js';

/** A row of the table: what it says of each. */
const ROWS: readonly (readonly [string, (subject: Subject) => string])[] = [
  ['model', ({ step }) => step.model],
  ['chips', ({ step, hardware }) => `${count(step.chips)} × ${hardware}`],
  ['batch', ({ step }) => count(step.batch)],
  ['plan', ({ step }) => step.plan],
  ['step time', ({ step }) => time(step.stepTimeSeconds)],
  ['8 of 10 runs', ({ step: { fits, stepTimeInterval: one } }) => (fits ? `${time(one.p10)} – ${time(one.p90)}` : '–')],
  ['measured', ({ run }) => (run === undefined ? '–' : time(run.plans[0]!.measured.stepTimeSeconds))],
  [
    'error',
    ({ run }) => {
      const plan = run?.plans[0];
      return plan === undefined ? '–' : error(plan.predicted.stepTimeSeconds, plan.measured.stepTimeSeconds);
    },
  ],
  ['MFU', ({ step }) => percent(step.mfu)],
  ['HFU', ({ step }) => percent(step.hfu)],
  ['tokens a second', ({ step }) => short(step.tokensPerSecond)],
  ['a chip', ({ step }) => short(step.tokensPerSecondPerChip)],
  ['least possible', (subject) => `${time(subject.step.bounds.seconds)} (${boundWords(subject)})`],
  [
    'exposed communication',
    ({ step }) =>
      `${time(step.exposedCommunicationSeconds)} (${whole(step.exposedCommunicationSeconds / step.stepTimeSeconds)})`,
  ],
  ['hidden of it', ({ step }) => (step.overlapFraction === null ? '–' : whole(step.overlapFraction))],
  ['memory a chip', (subject) => `${memoryWords(subject)}${subject.step.fits ? '' : ', does not fit'}`],
  ['busiest link', ({ step: { links } }) => (links.busiest === null ? '–' : percent(links.busiest.utilization))],
];

/** Rows that say something of at least one. */
export function sideBySideTable(subjects: readonly Subject[]): Table {
  const rows = ROWS.map(([name, of]) => [name, ...subjects.map(of)]);
  return {
    head: ['', ...subjects.map(({ name }) => name)],
    rows: rows.filter(([, ...cells]) => cells.some((cell) => cell !== '–')),
    right: [],
  };
}

/** Where steps differ by more, the parts of the shortest can't be seen beside the longest. */
const MOST_APART = 5;

export function sideBySideFigure(subjects: readonly Subject[], id: string): Figure {
  const names = [...new Map(subjects.flatMap(({ parts }) => parts.map((part) => [part.name, part.colour] as const)))];
  const sorted = subjects.toSorted((a, b) => a.step.stepTimeSeconds - b.step.stepTimeSeconds);
  const [fastest, slowest] = [sorted[0]!.step, sorted.at(-1)!.step];
  const most = subjects.reduce((best, one) => (one.step.mfu > best.step.mfu ? one : best));
  const isShare = slowest.stepTimeSeconds / fastest.stepTimeSeconds > MOST_APART;
  const secondsOf = ({ parts }: Subject, name: string): number =>
    parts.find((part) => part.name === name)?.seconds ?? 0;
  const shareOf = (subject: Subject, name: string): number => secondsOf(subject, name) / subject.step.stepTimeSeconds;
  return {
    id,
    title: `What each step is spent on${isShare ? ', in shares of it' : ''}`,
    label: `The shortest step is that of ${sorted[0]!.name}, ${time(fastest.stepTimeSeconds)}; the highest MFU that of ${most.name}, ${percent(most.step.mfu)}.`,
    kind: 'chart',
    height: 50 + 44 * subjects.length,
    legend: names.map(([name, of]) => ({ name, colour: of })),
    data: {
      // For the words after the longest bar, in two lines: pages are narrow, too.
      grid: { ...GRID, right: 84 },
      xAxis: isShare ? valueAxis('percent', '', 0, { max: 1 }) : valueAxis('time', '', 0),
      yAxis: namesAxis(subjects.map(({ name }) => name)),
      tooltip: { trigger: 'item' },
      series: names.map(([part, of], index) => ({
        type: 'bar',
        stack: 'step',
        barWidth: 22,
        data: subjects.map((subject) => {
          const seconds = secondsOf(subject, part);
          const { stepTimeSeconds, mfu } = subject.step;
          return itemOf({
            value: isShare ? shareOf(subject, part) : seconds,
            tip: [subject.name, `${part} ${time(seconds)}, ${whole(shareOf(subject, part))} of the step`],
            colour: colour(of),
            ...(index === names.length - 1 ? { label: `${time(stepTimeSeconds)}\nMFU ${percent(mfu)}` } : {}),
          });
        }),
        label: { position: 'right', color: 'var(--ink)', lineHeight: 15 },
      })),
    },
    table: {
      head: ['', ...subjects.map(({ name }) => name)],
      rows: names.map(([part]) => [
        part,
        ...subjects.map((subject) => `${time(secondsOf(subject, part))} (${whole(shareOf(subject, part))})`),
      ]),
    },
  };
}
