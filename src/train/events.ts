/** What a run tells as it goes. */
import type { StepTimeline } from '../trace/index.js';
import type { SkippedImage } from './data/loader.js';
import type { Evaluation } from './evaluation.js';

export type TrainEvent =
  | { readonly kind: 'phase'; readonly text: string }
  | { readonly kind: 'step'; readonly metrics: StepMetrics; readonly steps: number }
  | { readonly kind: 'skipped'; readonly image: SkippedImage }
  | { readonly kind: 'checkpoint'; readonly checkpoint: SavedCheckpoint }
  /** A checkpoint that was asked for and not written. */
  | { readonly kind: 'not-saved'; readonly reason: string }
  /** After so many steps. */
  | { readonly kind: 'paused'; readonly isPaused: boolean; readonly step: number }
  /** What ranks did in a step, now and then where it is asked for. */
  | { readonly kind: 'timeline'; readonly timeline: StepTimeline }
  | { readonly kind: 'evaluated'; readonly evaluation: Evaluation };

export interface SavedCheckpoint {
  readonly path: string;
  /** Steps that it has behind it. */
  readonly step: number;
  readonly bytes: number;
  /** What training stood still for it. */
  readonly seconds: number;
}

/** A line of `metrics.jsonl`. */
export interface StepMetrics {
  readonly step: number;
  readonly epoch: number;
  readonly loss: number;
  readonly learningRate: number;
  /** From handing out the batch to the last rank's end. */
  readonly stepTimeSeconds: number;
  /** Waiting for the batch before it. */
  readonly inputStallSeconds: number;
  readonly tokensPerSecond: number;
  readonly mfu: number;
  /** Where the loss is scaled: the next step's scale; smaller than before after a step that was left out. */
  readonly lossScale?: number;
  /** What of communication no kernel hides, in seconds: the mean over all ranks, and that of the rank with most. */
  readonly exposedCommunicationSeconds: number;
  readonly worstExposedCommunicationSeconds: number;
  /**
   * Of steps that are looked at (`training.monitor`): the L2 norm of all gradients together, as the optimizer gets them;
   * null where one of them is infinite or no number.
   */
  readonly gradientNorm?: number | null;
  /** Of the same steps: the largest magnitude of an attention logit, q·k/√d before the mask, over layers, heads and batch. */
  readonly largestAttentionLogit?: number | null;
}
