/** Predicted against measured as a person reads it. */
import type { KindDifference } from '../trace/index.js';
import { relativeError } from '../trace/index.js';
import { bytes, formatBytes, formatPercent, formatSeconds, seconds } from '../units.js';
import type { PlanComparison, StepFigures } from './comparison.js';
import { formatInterval } from './intervals.js';
import { printLine, printTable } from './output.js';
import type { RankComparison, RankParts } from './rank-report.js';
import type { RunReport, StragglerReport } from './run-report.js';
import type { OpDifference, StepTimes } from './waterfall.js';
import { waterfallBars } from './waterfall.js';

/** `−3.1 %` where 3.1 % too little was predicted. */
export function formatError(predicted: number, measured: number): string {
  const error = relativeError(predicted, measured);
  return `${error >= 0 ? '+' : '−'}${formatPercent(Math.abs(error))}`;
}
const time = (value: number): string => formatSeconds(seconds(value));

const signed = ({ predictedSeconds, measuredSeconds }: StepTimes): string =>
  `${measuredSeconds >= predictedSeconds ? '+' : '−'}${time(Math.abs(measuredSeconds - predictedSeconds))}`;

const cells = (row: StepTimes): string[] => [time(row.predictedSeconds), time(row.measuredSeconds), signed(row)];

const printDifferences = (rows: readonly KindDifference[]): void =>
  printTable(
    ['', 'predicted', 'measured', 'difference'],
    rows.map((row) => [row.kind, ...cells(row)]),
    [1, 2, 3],
  );

export function printComparison(plans: readonly PlanComparison[]): void {
  const error = (of: StepFigures | null, { measured }: PlanComparison) =>
    of === null ? '–' : formatError(of.stepTimeSeconds, measured.stepTimeSeconds);
  type Column = [string, (row: PlanComparison) => string];
  const hasIntervals = plans.some(({ predicted }) => predicted.stepTimeInterval !== undefined);
  const intervals: Column[] = hasIntervals
    ? [['8 of 10 runs', ({ predicted: { stepTimeInterval: one } }) => (one === undefined ? '–' : formatInterval(one))]]
    : [];
  const columns: Column[] = [
    ['predicted', (row) => time(row.predicted.stepTimeSeconds)],
    ...intervals,
    ['MFU', (row) => formatPercent(row.predicted.mfu)],
    ['measured', (row) => time(row.measured.stepTimeSeconds)],
    ['MFU', (row) => formatPercent(row.measured.mfu)],
    ['error', (row) => error(row.predicted, row)],
  ];
  if (plans.some(({ repredicted }) => repredicted !== null)) {
    columns.push(
      ['recalibrated', ({ repredicted }) => (repredicted === null ? '–' : time(repredicted.stepTimeSeconds))],
      ['MFU', ({ repredicted }) => (repredicted === null ? '–' : formatPercent(repredicted.mfu))],
      ['error', (row) => error(row.repredicted, row)],
    );
  }
  printTable(
    ['plan', ...columns.map(([title]) => title)],
    plans.map((row) => [row.plan, ...columns.map(([, cell]) => cell(row))]),
    columns.map((_, index) => index + 1),
  );
}

export function printKinds({ plan, byKind }: PlanComparison): void {
  printLine(`Where the difference comes from (${plan}; of collectives, what no kernel hides):`);
  printDifferences(byKind);
}

function printWaterfall(rows: readonly KindDifference[], step: StepTimes): void {
  const bars = waterfallBars(rows, step);
  printTable(
    ['', 'predicted', 'measured', 'difference', ''],
    [
      ['predicted step', time(step.predictedSeconds), '', '', bars[0]!],
      ...rows.map((row, index) => [row.kind, ...cells(row), bars[index + 1]!]),
      ['measured step', '', time(step.measuredSeconds), signed(step), bars.at(-1)!],
    ],
    [1, 2, 3],
  );
}

export const placeText = ({ place }: Pick<RankComparison, 'place'>): string =>
  Object.entries(place)
    .map(([axis, index]) => `${axis}=${index}`)
    .join(',');

const RANK_PARTS = ['kernels', 'collectives', 'host', 'waits'] as const satisfies readonly (keyof RankParts)[];

function printRanks(ranks: readonly RankComparison[]): void {
  printTable(
    ['rank', 'at', ...RANK_PARTS],
    ranks.map(({ rank, predicted, measured, ...where }) => [
      String(rank),
      placeText(where),
      ...RANK_PARTS.map((part) => `${time(predicted[part])} → ${time(measured[part])}`),
    ]),
    [0, 2, 3, 4, 5],
  );
}

/** `rank 1 (data=1)'s kernels take 1.31 times as long as ...` */
export function describeStraggler({
  rank,
  place,
  factor,
  leastFactor,
  fromStep,
  toStep,
  fromStart,
}: StragglerReport): string {
  const since = fromStart ? 'from the start' : `since step ${fromStep}`;
  const when = toStep === null ? since : fromStart ? `until step ${toStep}` : `in steps ${fromStep} to ${toStep}`;
  const name = `rank ${rank}${Object.keys(place).length === 0 ? '' : ` (${placeText({ place })})`}`;
  return `${name}: its kernels take ${factor.toFixed(2)} times as long as those of ranks that compute the same (at least ${leastFactor.toFixed(2)}), ${when}`;
}

function printStragglers({ ranks, stragglers }: RunReport): void {
  if (ranks === null || stragglers === null) {
    printLine('Stragglers: not known, the run is of before ranks were written down one by one (ranks.json)');
    return;
  }
  if (stragglers.length > 0) {
    printLine('Stragglers:');
    for (const one of stragglers) printLine(`  ${describeStraggler(one)}`);
  } else if (ranks.length > 1)
    printLine('Stragglers: none whose kernels are slower than those of its peers beyond noise');
}

const printWorst = (kernels: readonly OpDifference[]): void =>
  printTable(
    ['', 'times', 'predicted', 'measured', 'difference'],
    kernels.map((row) => [row.kind, String(row.spans), ...cells(row)]),
    [1, 2, 3, 4],
  );

/** A run looked at from all sides. */
export function printRun(report: RunReport): void {
  const { plans, waterfalls, steps } = report;
  const [{ plan, predicted, measured }] = plans as readonly [PlanComparison];
  const step = { predictedSeconds: predicted.stepTimeSeconds, measuredSeconds: measured.stepTimeSeconds };
  printComparison(plans);
  printLine(
    `${steps.count} steps timed, from ${time(steps.p10Seconds)} to ${time(steps.p90Seconds)} without a tenth at either end`,
  );
  printLine();
  printLine(`Where the difference comes from (${plan}; of collectives, what no kernel hides), by kind of work:`);
  printWaterfall(waterfalls.byWork, step);
  printLine();
  printLine('By phase:');
  printDifferences(waterfalls.byPhase);
  if (waterfalls.byCollective.length > 0) {
    printLine();
    printLine('By collective, what no kernel hides, and from start to end:');
    printTable(
      ['', 'predicted', 'measured', 'difference', 'predicted', 'measured', 'sent by a rank'],
      waterfalls.byCollective.map((row) => [
        row.kind,
        ...cells(row),
        time(row.predictedWholeSeconds),
        time(row.measuredWholeSeconds),
        formatBytes(bytes(row.sentBytes)),
      ]),
      [1, 2, 3, 4, 5, 6],
    );
  }
  if (report.ranks !== null) {
    printLine();
    printLine('By rank, predicted → measured:');
    printRanks(report.ranks);
  }
  printLine();
  printLine('Kernels that are off by most:');
  printWorst(report.worstKernels);
  printLine();
  printStragglers(report);
}
