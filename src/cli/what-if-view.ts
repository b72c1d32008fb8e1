/** Sensitivities and robustness of plans as people read them. */
import type { Job } from '../job/index.js';
import type { Robustness, Sensitivities, Sensitivity } from '../planner/index.js';
import { robustness, sensitivities } from '../planner/index.js';
import { RATE_NAMES } from '../hardware/index.js';
import type { RateName } from '../hardware/index.js';
import { bytes, formatBytes, formatPercent, formatSeconds, seconds } from '../units.js';
import { tableLines } from './output.js';
import type { WhatIfFlags } from './question-flags.js';
import { createAssess } from './what-if.js';

export interface WhatIfs {
  readonly sensitivities?: Sensitivities;
  readonly robustness?: Robustness;
}

/** @param jobs best first */
export function whatIfs(jobs: readonly Job[], { whatIf, robustness: draws, seed = 0 }: WhatIfFlags): WhatIfs {
  const assess = createAssess();
  const [best] = jobs;
  if (best === undefined) return {};
  return {
    ...(whatIf ? { sensitivities: sensitivities(best, assess(best), assess) } : {}),
    ...(draws === undefined ? {} : { robustness: robustness(jobs, assess, { draws, seed }) }),
  };
}

const percent = (faster: number): string => `${faster >= 0 ? '+' : '−'}${formatPercent(Math.abs(faster))}`;
const time = (value: number): string => formatSeconds(seconds(value));

const row = ({ change, faster, stepTimeSeconds, peakMemoryBytesPerChip, fits, plan }: Sensitivity, isFlip: boolean) => [
  change,
  percent(faster),
  time(stepTimeSeconds),
  formatBytes(bytes(peakMemoryBytesPerChip)),
  fits ? '' : 'does not fit',
  isFlip ? '' : (plan ?? ''),
];

export function whatIfLines({ sensitivities: found, robustness: standing }: WhatIfs): string[] {
  const lines: string[] = [];
  if (found !== undefined) {
    const { machine, batch, options } = found;
    const rows = [...[...machine, ...batch].map((one) => row(one, false)), ...options.map((one) => row(one, true))];
    lines.push('', 'What if, one change at a time, with examples a second gained or lost:');
    lines.push(...tableLines(['change', 'faster', 'step', 'memory', '', 'with plan'], rows, [1, 2, 3]));
  }
  if (standing !== undefined) {
    const { draws, seed, intervals, plans } = standing;
    const varied = Object.entries(intervals).map(
      ([name, width]) => `${RATE_NAMES[name as RateName]} ±${formatPercent(width, 0)}`,
    );
    lines.push('', `How the ranking stands in ${draws} draws (seed ${seed}) of ${varied.join(', ')}:`);
    lines.push(
      ...tableLines(
        ['', 'plan', 'first in', 'mean rank', 'step', 'nine in ten from', 'to'],
        plans.map((plan, index) => [
          String(index + 1),
          plan.plan,
          formatPercent(plan.firstShare, 0),
          plan.meanRank.toFixed(1),
          time(plan.medianStepTimeSeconds),
          time(plan.fastStepTimeSeconds),
          time(plan.slowStepTimeSeconds),
        ]),
        [0, 2, 3, 4, 5, 6],
      ),
    );
  }
  return lines;
}
