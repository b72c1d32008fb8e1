/**
 * How a ranking stands where a profile's rates are not quite known: they are drawn anew, all plans are simulated with
 * each draw, and it is counted how often each is first.
 */
import type { RateFactors, RateName, Status } from '../hardware/index.js';
import { rateStatuses } from '../hardware/index.js';
import type { Job } from '../job/index.js';
import { formatPlan } from '../job/index.js';
import { createRandom } from '../random.js';
import type { Assess } from './variation.js';
import { onScaledHardware, unlessRefused } from './variation.js';

/**
 * By how much a rate may be off, up or down: 0.2 is from 1/1.2 to 1.2 times. A choice, in steps that follow what a status
 * means: somebody read a number off a data sheet, measured this very machine, measured another of its kind, fitted it to
 * runs that are some percent off by themselves (docs/accuracy.md), or guessed.
 */
export const UNCERTAINTY: Readonly<Record<Status, number>> = {
  datasheet: 0.02,
  measured: 0.03,
  calibrated: 0.05,
  published: 0.05,
  fitted: 0.1,
  assumed: 0.25,
};

export interface DrawOptions {
  readonly draws: number;
  readonly seed: number;
}

export interface StandingPlan {
  readonly plan: string;
  /** Of all draws, the share in which it is the fastest of those given. */
  readonly firstShare: number;
  readonly meanRank: number;
  readonly fastStepTimeSeconds: number;
  readonly medianStepTimeSeconds: number;
  readonly slowStepTimeSeconds: number;
}

export interface Robustness extends DrawOptions {
  /** By how much each rate was varied, up or down. */
  readonly intervals: Readonly<Partial<Record<RateName, number>>>;
  /** In the order given. The fast and the slow time are those of one draw in twenty. */
  readonly plans: readonly StandingPlan[];
}

/** Uniform in the logarithm, so that twice and half are as likely. */
function drawFactors(intervals: Robustness['intervals'], seed: number, draw: number): RateFactors {
  const random = createRandom(seed, draw);
  return Object.fromEntries(
    Object.entries(intervals).map(([name, width]) => {
      const most = Math.log(1 + width);
      return [name, Math.exp(random.between(-most, most))];
    }),
  );
}

/** @param jobs on the same hardware; those that a draw's machine can't have are left out of it */
export function robustness(jobs: readonly Job[], assess: Assess, { draws, seed }: DrawOptions): Robustness {
  const [first] = jobs;
  if (first === undefined) return { draws, seed, intervals: {}, plans: [] };
  const statuses = rateStatuses(first.hardware.document);
  const usesHost = jobs.some(({ plan }) => plan.optimizerOffload !== 'none');
  const intervals = Object.fromEntries(
    Object.entries(statuses).flatMap(([name, status]) =>
      name === 'hostLink' && !usesHost ? [] : [[name, UNCERTAINTY[status]]],
    ),
  ) as Robustness['intervals'];
  const factors = Array.from({ length: draws }, (_, draw) => drawFactors(intervals, seed, draw));
  // Plan by plan: what a plan is lowered to is the same in all draws.
  const times = jobs.map((job) =>
    factors.map(
      (drawn) =>
        unlessRefused(() => assess(onScaledHardware(job, drawn, 'achievable')).stepTimeSeconds) ??
        Number.POSITIVE_INFINITY,
    ),
  );
  const ranks = times.map((own) => own.map((time, draw) => 1 + times.filter((others) => others[draw]! < time).length));
  return {
    draws,
    seed,
    intervals,
    plans: jobs.map((job, index) => {
      const sorted = times[index]!.toSorted((a, b) => a - b);
      const at = (share: number): number => sorted[Math.round(share * (draws - 1))]!;
      return {
        plan: formatPlan(job.plan),
        firstShare: ranks[index]!.filter((rank) => rank === 1).length / draws,
        meanRank: ranks[index]!.reduce((sum, rank) => sum + rank, 0) / draws,
        fastStepTimeSeconds: at(0.05),
        medianStepTimeSeconds: at(0.5),
        slowStepTimeSeconds: at(0.95),
      };
    }),
  };
}
