/** What a search gives: while it goes on, and at its end. */
import type { Job } from '../job/index.js';
import type { Bytes, Seconds } from '../units.js';

/** A plan that was simulated. */
export interface ScoredPlan<Figures> {
  readonly job: Job;
  readonly figures: Figures;
}

/** What became of the candidates. Those that can't be had were never candidates. */
export interface SearchCounts {
  readonly candidates: number;
  /** Their memory is more than a chip has, or than the headroom leaves. */
  readonly doNotFit: number;
  /** Their lower bound is above what was found, for the ranking and for each objective of the front. */
  readonly boundedOut: number;
  readonly simulated: number;
}

/** Of candidates none of which fits, that which needs least. */
export interface ClosestPlan {
  readonly job: Job;
  readonly bytes: Bytes;
  readonly capacity: Bytes;
}

export interface SearchState<Figures> {
  readonly counts: SearchCounts;
  /** The best so far, best first, as many as are ranked. */
  readonly ranked: readonly ScoredPlan<Figures>[];
}

export interface SearchResult<Figures> extends SearchState<Figures> {
  /** No plan is at least as good in all objectives and better in one; by step time. */
  readonly front: readonly ScoredPlan<Figures>[];
  /** Combinations that no plan can have, by the reason. */
  readonly refused: ReadonlyMap<string, number>;
  /** Whether it went to its end, or was interrupted. */
  readonly isComplete: boolean;
  readonly closest?: ClosestPlan;
  readonly took: Seconds;
}
