/** What a document says of a run of every chip and link. */
import { toSeconds } from './engine/index.js';
import type { Unfolded } from './executor.js';
import type { Spread, UnfoldRequest } from './unfold/index.js';

/** Over the chips. */
export interface SpreadSeconds {
  readonly min: number;
  readonly mean: number;
  readonly max: number;
}

export interface UnfoldedSummary {
  /** Kernels that ended, and flows that left their links or arrived. */
  readonly events: number;
  readonly flows: number;
  /** Standard deviation over mean of how long a kernel takes, and the seed; null where it doesn't vary. */
  readonly jitter: { readonly coefficientOfVariation: number; readonly seed: number } | null;
  /** Whose times the document gives: the chip that ends last, and its rank. */
  readonly lastChip: number;
  readonly lastRank: number;
  readonly chips: {
    readonly endSeconds: SpreadSeconds;
    /** The host included. */
    readonly computeSeconds: SpreadSeconds;
    readonly exposedCommunicationSeconds: SpreadSeconds;
    readonly hiddenCommunicationSeconds: SpreadSeconds;
    readonly idleSeconds: SpreadSeconds;
  };
}

const inSeconds = ({ least, mean, most }: Spread): SpreadSeconds => ({
  min: toSeconds(least),
  mean: toSeconds(mean),
  max: toSeconds(most),
});

export function summarizeUnfolded(
  { events, flows, lastChip, lastRank, spreads }: Unfolded,
  request: UnfoldRequest = {},
): UnfoldedSummary {
  return {
    events,
    flows,
    jitter: request.jitter ?? null,
    lastChip,
    lastRank,
    chips: {
      endSeconds: inSeconds(spreads.end),
      computeSeconds: inSeconds(spreads.busy),
      exposedCommunicationSeconds: inSeconds(spreads.exposed),
      hiddenCommunicationSeconds: inSeconds(spreads.hidden),
      idleSeconds: inSeconds(spreads.idle),
    },
  };
}
