/** Plans that were searched: which of them no other beats in step time, memory and chips at once. */
import { GRID, itemOf, lineOf, valueAxis } from '../chart.js';
import type { Search, SearchedPlan } from '../document.js';
import type { Figure } from '../figure.js';
import { colour } from '../figure.js';
import { count, percent, size, time } from '../words.js';

/** The plan that the report is about, in the same figure. */
export interface OwnPlan extends SearchedPlan {
  readonly name: string;
}

const tipOf = ({ plan, chips, stepTimeSeconds, peakMemoryBytesPerChip, mfu }: SearchedPlan): string[] => [
  plan,
  `${time(stepTimeSeconds)}, MFU ${percent(mfu)}`,
  `${size(peakMemoryBytesPerChip)} a chip, ${count(chips)} chips`,
];

const pointOf = ({ stepTimeSeconds, peakMemoryBytesPerChip }: SearchedPlan): number[] => [
  stepTimeSeconds,
  peakMemoryBytesPerChip,
];

const same = (one: SearchedPlan, other: SearchedPlan): boolean => one.plan === other.plan && one.chips === other.chips;

/** From one to the next along the front: first faster, then smaller. Only between those of one number of chips. */
function stairs(front: readonly SearchedPlan[]): number[][][] {
  return [...new Set(front.map(({ chips }) => chips))].map((chips) =>
    front
      .filter((one) => one.chips === chips)
      .toSorted((a, b) => a.stepTimeSeconds - b.stepTimeSeconds)
      .map(pointOf),
  );
}

export function paretoFigure(search: Search, id: string, own?: OwnPlan): Figure {
  const { best, front, counts, isComplete } = search;
  const rest = counts.candidates - counts.doNotFit - counts.simulated;
  const others = best.filter((one) => !front.some((other) => same(one, other)));
  const [fastest] = front.toSorted((a, b) => a.stepTimeSeconds - b.stepTimeSeconds);
  const [smallest] = front.toSorted((a, b) => a.peakMemoryBytesPerChip - b.peakMemoryBytesPerChip);
  const ends =
    fastest === undefined || smallest === undefined
      ? ''
      : same(fastest, smallest)
        ? ` One is both the fastest and the smallest: ${fastest.plan}.`
        : ` The fastest takes ${time(fastest.stepTimeSeconds)} and ${size(fastest.peakMemoryBytesPerChip)} a chip, the smallest ${time(smallest.stepTimeSeconds)} and ${size(smallest.peakMemoryBytesPerChip)}.`;
  return {
    id,
    title: 'Plans that no other beats',
    label: `Of ${count(counts.candidates)} plans ${count(front.length)} are not beaten in step time, memory and chips at once.${ends}`,
    kind: 'chart',
    height: 380,
    legend: [
      { name: 'not beaten', colour: 'front' },
      ...(others.length > 0 ? [{ name: 'among the fastest, beaten by one that needs less', colour: 'weak' }] : []),
      ...(own === undefined ? [] : [{ name: own.name, colour: 'own' }]),
    ],
    data: {
      grid: { ...GRID, top: 20 },
      xAxis: valueAxis('time', 'step time', 30, { scale: true }),
      yAxis: valueAxis('bytes', 'memory a chip', 62, { scale: true }),
      tooltip: { trigger: 'item' },
      series: [
        ...stairs(front).map((points) => lineOf(points, { color: colour('front') }, { step: 'end' })),
        {
          type: 'scatter',
          symbolSize: 9,
          data: others.map((one) => itemOf({ value: pointOf(one), tip: tipOf(one), colour: colour('weak') })),
        },
        {
          type: 'scatter',
          symbolSize: 11,
          data: front.map((one) => itemOf({ value: pointOf(one), tip: tipOf(one), colour: colour('front') })),
        },
        ...(own === undefined
          ? []
          : [
              {
                type: 'scatter',
                symbolSize: 15,
                data: [
                  itemOf({
                    value: pointOf(own),
                    tip: [own.name, ...tipOf(own)],
                    colour: colour('own'),
                    symbol: 'diamond',
                    hollow: true,
                    label: own.name,
                  }),
                ],
                label: { position: 'top', color: 'var(--ink)' },
              },
            ]),
      ],
    },
    note: `${count(counts.candidates)} plans were looked at: ${count(counts.doNotFit)} do not fit, ${count(counts.simulated)} were simulated${rest > 0 ? ", the rest can't be among these by their bounds" : ''}.${isComplete ? '' : ' The search was interrupted: there may be better ones.'}`,
    table: {
      head: ['plan', 'chips', 'step time', 'MFU', 'memory a chip', ''],
      rows: [...front.map((one) => [...cellsOf(one), 'not beaten']), ...others.map((one) => [...cellsOf(one), ''])],
      right: [1, 2, 3, 4],
    },
  };
}

const cellsOf = ({ plan, chips, stepTimeSeconds, mfu, peakMemoryBytesPerChip }: SearchedPlan): string[] => [
  plan,
  count(chips),
  time(stepTimeSeconds),
  percent(mfu),
  size(peakMemoryBytesPerChip),
];
