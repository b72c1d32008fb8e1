/** What `meshwright validate` finds: a row's prediction, a set's errors, the whole document. */
import type { Half } from './halves.js';

export interface PredictedRow {
  readonly id: string;
  readonly set: string;
  /** As the row has it; like `chip`, `model` and `half` nothing of a row that lacks what a prediction can't do without. */
  readonly stack: string | null;
  readonly chip: string | null;
  readonly model: string | null;
  /** Which half of its set it is in: what is fitted is fitted on one of them. */
  readonly half: Half | null;
  readonly status: 'predicted' | 'unsupported';
  /** Why it can't be predicted. */
  readonly reason?: string;
  readonly measuredStepTimeSeconds: number | null;
  readonly predictedStepTimeSeconds: number | null;
  readonly measuredMemoryBytesPerChip: number | null;
  readonly predictedMemoryBytesPerChip: number | null;
  readonly measuredFits: boolean | null;
  readonly predictedFits: boolean | null;
  /** The plan in its short form, where there is one. */
  readonly plan: string | null;
  /** What was assumed where the row leaves it open, and what is predicted in place of what it says. */
  readonly notes: readonly string[];
}

/** A row's prediction before it is one of many. */
export type Prediction = Omit<PredictedRow, 'half'>;

/** Of |predicted − measured| / measured. */
export interface Errors {
  readonly count: number;
  readonly mean: number;
  readonly median: number;
  readonly worst: number;
  /** The mean with its sign: above 0 where predictions are too long. */
  readonly bias: number;
}

export interface FitCounts {
  readonly count: number;
  readonly right: number;
  /** Predicted to fit, and ran out of memory. */
  readonly wronglyFits: number;
  /** Ran, and predicted not to fit. */
  readonly wronglyDoesNotFit: number;
}

export interface SetResult {
  readonly set: string;
  readonly rows: number;
  readonly predicted: number;
  readonly unsupported: number;
  readonly stepTime: Errors | null;
  /** Of each half of the set, no model in both. */
  readonly halves: Readonly<Record<Half, Errors | null>>;
  /** One constant efficiency, the median of the set's other rows. */
  readonly yardstick: Errors | null;
  readonly memory: Errors | null;
  readonly fits: FitCounts | null;
}

export interface ValidationDocument {
  readonly schema: 'meshwright/validation@1';
  readonly sets: readonly SetResult[];
  /** Over the sets that have step times. */
  readonly meanOfSetMeans: number | null;
  /** Over those of them that have a yardstick. */
  readonly yardstickMeanOfSetMeans: number | null;
  readonly rows: readonly PredictedRow[];
}
