/** Predicted beside measured: plans of runs, the steps of a run, where the difference comes from, its ranks. */
import { GRID, itemOf, lineOf, logAxis, namesAxis, valueAxis } from '../chart.js';
import type { MeasuredPlan, MeasuredRun, RankParts } from '../document.js';
import type { Figure, Json } from '../figure.js';
import { colour } from '../figure.js';
import { count, error, listed, percent, time } from '../words.js';
import { meanError, relativeError } from '../../trace/index.js';

export interface PlanOfRun extends MeasuredPlan {
  /** Of the run that it is of. */
  readonly run: string;
}

const intervalText = ({ predicted: { stepTimeInterval: one } }: MeasuredPlan): string =>
  one === undefined ? '–' : `${time(one.p10)} – ${time(one.p90)}`;

const isInside = ({ predicted: { stepTimeInterval: one }, measured }: MeasuredPlan): boolean =>
  one !== undefined && measured.stepTimeSeconds >= one.p10 && measured.stepTimeSeconds <= one.p90;

function labelOf(plans: readonly PlanOfRun[]): string {
  const [first] = plans as readonly [PlanOfRun];
  if (plans.length === 1)
    return `Measured ${time(first.measured.stepTimeSeconds)}, predicted ${time(first.predicted.stepTimeSeconds)}: ${error(first.predicted.stepTimeSeconds, first.measured.stepTimeSeconds)}.${first.predicted.stepTimeInterval === undefined ? '' : isInside(first) ? ' It is inside the interval that eight of ten runs are in.' : ' It is outside of the interval that eight of ten runs are in.'}`;
  const off = plans.map(({ predicted, measured }) =>
    Math.abs(relativeError(predicted.stepTimeSeconds, measured.stepTimeSeconds)),
  );
  const known = plans.filter(({ predicted }) => predicted.stepTimeInterval !== undefined);
  const inside =
    known.length === 0
      ? ''
      : ` ${known.filter(isInside).length} of ${known.length} are inside the interval that eight of ten are expected in.`;
  return `${plans.length} plans, off by ${percent(meanError(off)!)} on the mean and ${percent(Math.max(...off))} at most.${inside}`;
}

/** Every plan of every run as a point; on the diagonal predicted is measured. */
export function scatterFigure(plans: readonly PlanOfRun[], id: string): Figure {
  const again = plans.filter(({ repredicted }) => repredicted !== null);
  const all = plans.flatMap(({ predicted, measured, repredicted }) => [
    predicted.stepTimeSeconds,
    predicted.stepTimeInterval?.p10 ?? predicted.stepTimeSeconds,
    predicted.stepTimeInterval?.p90 ?? predicted.stepTimeSeconds,
    measured.stepTimeSeconds,
    repredicted?.stepTimeSeconds ?? measured.stepTimeSeconds,
  ]);
  const [least, most] = [Math.min(...all), Math.max(...all)];
  const isWide = most / least > 5;
  const ends = isWide ? [least / 1.3, most * 1.3] : [least - 0.1 * (most - least), most + 0.1 * (most - least)];
  const axis = isWide ? logAxis : valueAxis;
  const range = { min: ends[0]!, max: ends[1]!, ...(isWide ? {} : { scale: true }) };
  const tip = (one: PlanOfRun): string[] => [
    one.run,
    one.plan,
    `measured ${time(one.measured.stepTimeSeconds)}, MFU ${percent(one.measured.mfu)}`,
    `predicted ${time(one.predicted.stepTimeSeconds)} (${intervalText(one)}), ${error(one.predicted.stepTimeSeconds, one.measured.stepTimeSeconds)}`,
    ...(one.repredicted === null
      ? []
      : [
          `recalibrated ${time(one.repredicted.stepTimeSeconds)}, ${error(one.repredicted.stepTimeSeconds, one.measured.stepTimeSeconds)}`,
        ]),
  ];
  return {
    id,
    title: 'Predicted and measured step times',
    label: labelOf(plans),
    kind: 'chart',
    height: 480,
    width: 560,
    legend: [
      { name: 'predicted, and between what eight of ten runs are', colour: 'predicted' },
      ...(again.length > 0 ? [{ name: "recalibrated on the other plans' runs", colour: 'again' }] : []),
    ],
    data: {
      grid: { ...GRID, top: 20 },
      xAxis: axis('time', 'measured step time', 30, range),
      yAxis: axis('time', 'predicted', 58, range),
      tooltip: { trigger: 'item' },
      series: [
        lineOf(
          [ends, ends].map((_, index) => [ends[index]!, ends[index]!]),
          { color: 'var(--ink-2)' },
        ),
        ...[1.1, 0.9].map((factor) =>
          lineOf(
            ends.map((end) => [end, end * factor]),
            { color: 'var(--line)', type: 'dashed' },
            { clip: true },
          ),
        ),
        ...plans.flatMap(({ measured, predicted: { stepTimeInterval: one } }) =>
          one === undefined
            ? []
            : [
                lineOf(
                  [one.p10, one.p90].map((end) => [measured.stepTimeSeconds, end]),
                  { color: colour('predicted'), width: 2, opacity: 0.6 },
                ),
              ],
        ),
        {
          type: 'scatter',
          symbolSize: 11,
          data: plans.map((one) =>
            itemOf({
              value: [one.measured.stepTimeSeconds, one.predicted.stepTimeSeconds],
              tip: tip(one),
              colour: colour('predicted'),
            }),
          ),
        },
        {
          type: 'scatter',
          symbolSize: 11,
          data: again.map((one) =>
            itemOf({
              value: [one.measured.stepTimeSeconds, one.repredicted!.stepTimeSeconds],
              tip: tip(one),
              colour: colour('again'),
              symbol: 'diamond',
              hollow: true,
            }),
          ),
        },
      ],
    },
    note: 'On the solid line predicted is measured; dashed, ten percent off.',
    table: {
      head: ['run', 'plan', 'measured', 'MFU', 'predicted', '8 of 10 runs', 'MFU', 'error', 'recalibrated', 'error'],
      rows: plans.map((one) => [
        one.run,
        one.plan,
        time(one.measured.stepTimeSeconds),
        percent(one.measured.mfu),
        time(one.predicted.stepTimeSeconds),
        intervalText(one),
        percent(one.predicted.mfu),
        error(one.predicted.stepTimeSeconds, one.measured.stepTimeSeconds),
        one.repredicted === null ? '–' : time(one.repredicted.stepTimeSeconds),
        one.repredicted === null ? '–' : error(one.repredicted.stepTimeSeconds, one.measured.stepTimeSeconds),
      ]),
      right: [2, 3, 4, 5, 6, 7, 8, 9],
    },
  };
}

/** More would not be told apart. */
const MOST_STEPS = 2000;

/** Every timed step beside the interval that was predicted. */
export function stepsFigure(run: MeasuredRun, id: string): Figure {
  const [{ predicted, measured }] = run.plans as readonly [MeasuredPlan];
  const { stepTimeInterval: interval, stepTimeSeconds } = predicted;
  const every = Math.ceil(run.stepSeconds.length / MOST_STEPS);
  const steps = run.stepSeconds.flatMap((seconds, index) => (index % every === 0 ? [[index + 1, seconds]] : []));
  const last = run.stepSeconds.length;
  const { count: timed, p10Seconds, p90Seconds } = run.steps;
  const inside =
    interval === undefined
      ? undefined
      : run.stepSeconds.filter((one) => one >= interval.p10 && one <= interval.p90).length;
  return {
    id,
    title: 'Every timed step of the run',
    label: `${count(timed)} steps, their median ${time(measured.stepTimeSeconds)}, eight of ten from ${time(p10Seconds)} to ${time(p90Seconds)}.${inside === undefined ? '' : ` ${percent(inside / last)} of them are in the interval that was predicted.`}`,
    kind: 'chart',
    height: 280,
    legend: [
      { name: 'measured', colour: 'measured' },
      {
        name: interval === undefined ? 'predicted' : 'predicted, and between what eight of ten runs are',
        colour: 'predicted',
      },
    ],
    data: {
      grid: { ...GRID, top: 20 },
      xAxis: valueAxis('number', 'timed step', 30, { min: 1, max: Math.max(2, last) }),
      yAxis: valueAxis('time', '', 0, { scale: true }),
      tooltip: { trigger: 'item' },
      series: [
        lineOf(
          [
            [1, stepTimeSeconds],
            [last, stepTimeSeconds],
          ],
          { color: colour('predicted'), width: 2 },
          interval === undefined
            ? {}
            : {
                markArea: {
                  silent: true,
                  itemStyle: { color: colour('predicted'), opacity: 0.15 },
                  data: [[{ yAxis: interval.p10 }, { yAxis: interval.p90 }]],
                },
              },
        ),
        {
          type: 'scatter',
          symbolSize: 5,
          itemStyle: { color: colour('measured') },
          data: steps.map((value) => ({ value, tip: [`timed step ${value[0]!}`, time(value[1]!)] })),
        },
      ],
    },
    ...(every > 1 ? { note: `Every ${every}th step is drawn.` } : {}),
    table: {
      head: ['', 'step time'],
      rows: [
        ['fastest', time(measured.fastestSeconds)],
        ['a tenth is below', time(p10Seconds)],
        ['median', time(measured.stepTimeSeconds)],
        ['a tenth is above', time(p90Seconds)],
        ['slowest', time(measured.slowestSeconds)],
        ['predicted', time(stepTimeSeconds)],
        ...(interval === undefined
          ? []
          : [['predicted, 8 of 10 runs', `${time(interval.p10)} – ${time(interval.p90)}`]]),
      ],
    },
  };
}

const signed = (seconds: number): string => `${seconds >= 0 ? '+' : '−'}${time(Math.abs(seconds))}`;

/** From the predicted step to the measured one, kind of work by kind of work. */
export function waterfallFigure(run: MeasuredRun, id: string): Figure {
  const [{ predicted, measured }] = run.plans as readonly [MeasuredPlan];
  const rows = run.byWork.map((row) => ({ ...row, difference: row.measuredSeconds - row.predictedSeconds }));
  let at = predicted.stepTimeSeconds;
  const bars = rows.map(({ kind, difference }) => {
    const from = at;
    at += difference;
    return {
      name: kind,
      from: Math.min(from, at),
      to: Math.max(from, at),
      text: signed(difference),
      colour: colour(difference > 0 ? 'slower' : 'faster'),
    };
  });
  const all = [
    {
      name: 'predicted',
      from: 0,
      to: predicted.stepTimeSeconds,
      text: time(predicted.stepTimeSeconds),
      colour: colour('predicted'),
    },
    ...bars,
    {
      name: 'measured',
      from: 0,
      to: measured.stepTimeSeconds,
      text: time(measured.stepTimeSeconds),
      colour: colour('measured'),
    },
  ];
  const most = listed(rows.slice(0, 2).map(({ kind, difference }) => `${kind} ${signed(difference)}`));
  return {
    id,
    title: 'Where the difference comes from',
    label: `From ${time(predicted.stepTimeSeconds)} predicted to ${time(measured.stepTimeSeconds)} measured; most of it: ${most}.`,
    kind: 'chart',
    height: 40 + 26 * all.length,
    legend: [
      { name: 'took longer than predicted', colour: 'slower' },
      { name: 'took less', colour: 'faster' },
    ],
    data: {
      grid: { ...GRID, right: 80 },
      xAxis: valueAxis('time', '', 0),
      yAxis: namesAxis(all.map(({ name }) => name)),
      tooltip: { trigger: 'item' },
      series: [
        {
          type: 'bar',
          stack: 'all',
          silent: true,
          tooltip: { show: false },
          itemStyle: { color: 'transparent' },
          data: all.map(({ from }): Json => from),
        },
        {
          type: 'bar',
          stack: 'all',
          barWidth: 16,
          label: { show: true, position: 'right', color: 'var(--ink)' },
          data: all.map(({ name, from, to, text, colour: of }, index) => {
            const row = rows[index - 1];
            const tip =
              row === undefined
                ? [name, text]
                : [name, `predicted ${time(row.predictedSeconds)}, measured ${time(row.measuredSeconds)}`, text];
            return itemOf({ value: to - from, tip, colour: of, label: text });
          }),
        },
      ],
    },
    note: 'Of collectives what no kernel hides; all rows add up to the measured step.',
    table: {
      head: ['kind of work', 'predicted', 'measured', 'difference'],
      rows: rows.map((row) => [
        row.kind,
        time(row.predictedSeconds),
        time(row.measuredSeconds),
        signed(row.difference),
      ]),
    },
  };
}

const PARTS = ['kernels', 'collectives', 'host', 'waits'] as const satisfies readonly (keyof RankParts)[];
/** More rows are a table's. */
const MOST_RANKS = 32;

/** What each rank did in a step, predicted above measured; undefined of a run that does not say. */
export function ranksFigure({ ranks, stragglers }: MeasuredRun, id: string): Figure | undefined {
  if (ranks === null) return undefined;
  const drawn = ranks.slice(0, MOST_RANKS);
  const rows = drawn.flatMap(({ name, predicted, measured }) => [
    { name: `${name} predicted`, parts: predicted },
    { name: `${name} measured`, parts: measured },
  ]);
  return {
    id,
    title: 'Rank by rank',
    label:
      stragglers.length > 0
        ? `${stragglers.join('. ')}.`
        : ranks.length > 1
          ? "No rank's kernels are slower than those of its peers beyond noise."
          : 'One rank.',
    kind: 'chart',
    height: 50 + 20 * rows.length,
    legend: PARTS.map((name) => ({
      name: name === 'collectives' ? 'collectives that nothing hides' : name,
      colour: `part-${name}`,
    })),
    data: {
      grid: GRID,
      xAxis: valueAxis('time', '', 0),
      yAxis: namesAxis(rows.map(({ name }) => name)),
      tooltip: { trigger: 'item' },
      series: PARTS.map((part) => ({
        type: 'bar',
        stack: 'all',
        barWidth: 13,
        itemStyle: { color: colour(`part-${part}`) },
        data: rows.map(({ name, parts }) => ({ value: parts[part], tip: [name, `${part} ${time(parts[part])}`] })),
      })),
    },
    ...(drawn.length < ranks.length ? { note: `The first ${MOST_RANKS} of ${ranks.length} ranks are drawn.` } : {}),
    table: {
      head: ['rank', ...PARTS.flatMap((part) => [`${part}, predicted`, 'measured'])],
      rows: ranks.map(({ name, predicted, measured }) => [
        name,
        ...PARTS.flatMap((part) => [time(predicted[part]), time(measured[part])]),
      ]),
    },
  };
}
