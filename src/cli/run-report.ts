/** What `compare` says of a run, as `--json` has it. */
import { quantile } from 'simple-statistics';
import type { KindDifference, Straggler } from '../trace/index.js';
import { findStragglers } from '../trace/index.js';
import type { ComparisonDocument } from './comparison.js';
import type { RankComparison, RanksDocument } from './rank-report.js';
import type { CollectiveDifference, OpDifference } from './waterfall.js';
import { byCollective, byPhase, byWork, worstKernels } from './waterfall.js';

export interface StragglerReport extends Straggler {
  readonly place: RankComparison['place'];
}

export interface RunReport extends ComparisonDocument {
  /** Of the steps that were timed. */
  readonly steps: { readonly count: number; readonly p10Seconds: number; readonly p90Seconds: number };
  readonly waterfalls: {
    readonly byWork: readonly KindDifference[];
    readonly byPhase: readonly KindDifference[];
    readonly byCollective: readonly CollectiveDifference[];
  };
  /** Null of a run of before ranks were written down one by one. */
  readonly ranks: readonly RankComparison[] | null;
  readonly stragglers: readonly StragglerReport[] | null;
  readonly worstKernels: readonly OpDifference[];
}

const WORST = 10;

export const stragglersOf = ({ ranks, slowness }: RanksDocument): StragglerReport[] =>
  findStragglers(slowness).map((one) => ({ ...one, place: ranks.find(({ rank }) => rank === one.rank)?.place ?? {} }));

export function reportOnRun(document: ComparisonDocument, ranks: RanksDocument | undefined): RunReport {
  const { spans, stepSeconds, plans } = document;
  const [{ predicted, measured }] = plans as readonly [ComparisonDocument['plans'][number]];
  const step = { predictedSeconds: predicted.stepTimeSeconds, measuredSeconds: measured.stepTimeSeconds };
  const at = (part: number): number => quantile([...stepSeconds], part);
  return {
    ...document,
    steps: { count: stepSeconds.length, p10Seconds: at(0.1), p90Seconds: at(0.9) },
    waterfalls: {
      byWork: byWork(spans, step),
      byPhase: byPhase(spans, step),
      byCollective: byCollective(spans),
    },
    ranks: ranks?.ranks ?? null,
    stragglers: ranks === undefined ? null : stragglersOf(ranks),
    worstKernels: worstKernels(spans, WORST),
  };
}
