/** Why a plan is where it is in the ranking, in a sentence. */
import type { Plan } from '../job/index.js';
import { formatPlan } from '../job/index.js';
import { formatPercent, formatSeconds, seconds } from '../units.js';

/** What the planner reads of a simulation. */
export interface PlanFigures {
  readonly stepTimeSeconds: number;
  readonly mfu: number;
  readonly computeSeconds: number;
  readonly exposedCommunicationSeconds: number;
  readonly exposedCommunicationByAxisSeconds: Readonly<Partial<Record<string, number>>>;
  readonly overheadSeconds: number;
  /** Of a pipeline, that stages wait for their turn. */
  readonly timeByCategorySeconds?: { readonly bubble?: number };
  readonly peakMemoryBytesPerChip: number;
}

type Part = 'compute' | 'exposed communication' | 'overhead' | 'bubble';

const parts = (figures: PlanFigures): Record<Part, number> => ({
  compute: figures.computeSeconds,
  'exposed communication': figures.exposedCommunicationSeconds,
  overhead: figures.overheadSeconds,
  bubble: figures.timeByCategorySeconds?.bubble ?? 0,
});

function spends(figures: PlanFigures): string {
  const share = (value: number) => formatPercent(value / figures.stepTimeSeconds, 0);
  const { compute, 'exposed communication': exposed, overhead, bubble } = parts(figures);
  const [axis] = Object.entries(figures.exposedCommunicationByAxisSeconds).toSorted(
    ([, a], [, b]) => (b ?? 0) - (a ?? 0),
  );
  const mostly = axis && (axis[1] ?? 0) > 0 ? ` (mostly ${axis[0]})` : '';
  return `${share(compute)} compute, ${share(exposed)} exposed communication${mostly}, ${share(overhead)} overhead${bubble > 0 ? `, ${share(bubble)} bubble` : ''}`;
}

/** `2.4 % faster`, `8.6 times as fast`: how far a step is ahead of one that takes `ratio` times as long. */
export const fasterBy = (ratio: number): string =>
  ratio < 2 ? `${formatPercent(ratio - 1)} faster` : `${Number(ratio.toPrecision(2))} times as fast`;

/** @param next the plan that comes after it, if any */
export function explain(figures: PlanFigures, next?: { readonly plan: string; readonly figures: PlanFigures }): string {
  const first = `${spends(figures)}.`;
  if (next === undefined) return first;
  const [mine, theirs] = [parts(figures), parts(next.figures)];
  const [what, saved] = (Object.keys(mine) as Part[])
    .map((part) => [part, theirs[part] - mine[part]] as const)
    .toSorted(([, a], [, b]) => b - a)[0]!;
  const ratio = next.figures.stepTimeSeconds / figures.stepTimeSeconds;
  if (saved <= 0 || ratio < 1.0005) return `${first} As fast as ${next.plan}.`;
  const than = ratio < 2 ? 'than' : 'as';
  return `${first} ${fasterBy(ratio)} ${than} ${next.plan}: ${formatSeconds(seconds(saved))} less ${what}.`;
}

/**
 * Another plan by its mesh and microbatches, and by those of its options that `plan` lacks; by all of them where it has none
 * of its own, or it would pass for a third plan that has none at all.
 */
export function nameBeside(plan: Plan, other: Plan): string {
  const shared = new Set(formatPlan(plan).split(' '));
  const [mesh, microbatches, ...options] = formatPlan(other).split(' ');
  const own = options.filter((word) => !shared.has(word));
  return [mesh, microbatches, ...(own.length > 0 ? own : options)].join(' ');
}
