/** Plans as a table of text: whole labels in as many lines as they need, and as many figures as there is room for. */
import { wrapped } from '../text.js';
import {
  bytes,
  dollars,
  formatBytes,
  formatDollars,
  formatJoules,
  formatPercent,
  formatSeconds,
  joules,
  seconds,
} from '../units.js';
import { formatInterval } from './intervals.js';
import { tableLines } from './output.js';
import { planCost } from './plan-cost.js';
import type { PlanReport, PredictedPlan } from './plan-report.js';

export type TablePlan = PredictedPlan &
  Pick<PlanReport, 'plan'> & { readonly rank?: number; readonly boundShare?: number };

interface Figure {
  readonly title: string;
  readonly cells: readonly string[];
  /** In which order figures are left out in short lines; never where there is none. */
  readonly leaves?: number;
}

const time = (value: number): string => formatSeconds(seconds(value));
const count = (value: number): string => value.toLocaleString('en-US');

const GAP = 2;
/** Of a plan's label; a word that is longer has a line of its own, which is as long as it is. */
const LEAST_LABEL = 44;

/** In the order of the table. Chips and batch where they differ. @param isPriced see `plansTable` */
function figuresOf(plans: readonly TablePlan[], isPriced: boolean): Figure[] {
  const costs = plans.map(planCost);
  const [first] = costs;
  const column = (title: string, of: (plan: TablePlan) => string, leaves?: number): Figure => ({
    title,
    cells: plans.map(of),
    ...(leaves === undefined ? {} : { leaves }),
  });
  const differing = (title: string, of: (plan: TablePlan) => number): Figure[] =>
    new Set(plans.map(of)).size > 1 ? [column(title, (plan) => count(of(plan)))] : [];
  return [
    ...differing('chips', ({ job }) => job.chips),
    ...differing('batch', ({ job }) => job.batch),
    column('step', ({ figures }) => time(figures.stepTimeSeconds)),
    column('8 of 10 runs', ({ figures }) => formatInterval(figures.stepTimeInterval), 4),
    column('MFU', ({ figures }) => formatPercent(figures.mfu), 5),
    column('compute', ({ figures }) => time(figures.computeSeconds), 1),
    column('exposed', ({ figures }) => time(figures.exposedCommunicationSeconds), 3),
    column('overhead', ({ figures }) => time(figures.overheadSeconds), 0),
    ...(plans.some(({ boundShare }) => boundShare !== undefined)
      ? [column('bound', ({ boundShare }) => (boundShare === undefined ? '' : formatPercent(boundShare, 0)), 2)]
      : []),
    column('memory', ({ figures }) => formatBytes(bytes(figures.peakMemoryBytesPerChip))),
    ...(isPriced && first?.dollarsPerUnit !== null
      ? [{ title: 'cost', cells: costs.map(({ dollarsPerUnit }) => formatDollars(dollars(dollarsPerUnit!))) }]
      : []),
    ...(isPriced && first?.joulesPerUnit !== null
      ? [{ title: 'energy', cells: costs.map(({ joulesPerUnit }) => formatJoules(joules(joulesPerUnit!))) }]
      : []),
  ];
}

const widthOf = ({ title, cells }: Figure): number => Math.max(...[title, ...cells].map(({ length }) => length));

/**
 * @param width what a line may have
 * @param isPriced with what a million images or a billion tokens of each cost and draw, as far as the profile says
 */
export function plansTable(plans: readonly TablePlan[], width: number, isPriced = false): string[] {
  const ranks = plans.map(({ rank }) => (rank === undefined ? '' : String(rank)));
  const head = Math.max(...ranks.map(({ length }) => length)) + GAP;
  const figures = figuresOf(plans, isPriced);
  const room = (): number => width - head - figures.reduce((sum, one) => sum + GAP + widthOf(one), 0);
  for (let leaves = 0; room() < LEAST_LABEL && figures.some((one) => (one.leaves ?? -1) >= leaves); leaves++) {
    const index = figures.findIndex((one) => one.leaves === leaves);
    if (index >= 0) figures.splice(index, 1);
  }
  const columns = Math.max(LEAST_LABEL, room());
  return tableLines(
    ['', 'plan', ...figures.map(({ title }) => title)],
    plans.map(({ plan }, index) => [
      ranks[index]!,
      wrapped(plan, columns).join('\n'),
      ...figures.map(({ cells }) => cells[index]!),
    ]),
    [0, ...figures.map((_, index) => index + 2)],
  );
}
