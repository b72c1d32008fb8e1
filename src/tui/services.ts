/**
 * What the terminal UI asks of the rest of the program. It is given these by the CLI, so that the UI starts no work of
 * its own and its tests need no machine.
 */

export interface Choice {
  readonly name: string;
  /** A few words beside it. */
  readonly about: string;
}

export interface TaskChoice {
  readonly model: string;
  readonly hardware: string;
  readonly chips: number;
  readonly batch: number;
}

/** One simulated plan, best first in a search's answer. */
export interface PlanRow {
  /** `data=64,model=16 microbatches=8` */
  readonly label: string;
  readonly stepTimeSeconds: number;
  /** What eight of ten runs take, in seconds. */
  readonly stepTimeInterval: { readonly p10: number; readonly p90: number };
  readonly mfu: number;
  readonly hfu: number;
  readonly peakMemoryBytesPerChip: number;
  /** What plans may use: without what the runtime keeps. */
  readonly usableMemoryBytesPerChip: number;
  readonly memoryBytesByRole: Readonly<Record<string, number>>;
  /** What the step time is made of, by words such as `matmuls` and `model exposed`. */
  readonly timeByPart: Readonly<Record<string, number>>;
  readonly exposedCommunicationSeconds: number;
  readonly hiddenCommunicationSeconds: number;
  /** A sentence: what it spends its time on, and why it beats the next. */
  readonly why: string;
  /** Whether this machine can train it. */
  readonly runsHere: boolean;
}

export interface SearchProgress {
  readonly plans: readonly PlanRow[];
  readonly rejected: number;
  readonly done: boolean;
}

/** How a trained model does on what was held out: `accuracy`, `87.2 %`, and what takes no model, `chance 10.0 %`. */
export interface EvaluationWords {
  readonly what: string;
  readonly value: string;
  readonly baseline: string;
}

export type TrainEvent =
  | { readonly kind: 'phase'; readonly text: string }
  | {
      readonly kind: 'step';
      readonly step: number;
      readonly steps: number;
      readonly loss: number;
      readonly learningRate: number;
      readonly stepTimeSeconds: number;
      readonly tokensPerSecond: number;
      readonly mfu: number;
      readonly inputStallSeconds: number;
      /** Of the rank with most. */
      readonly worstExposedCommunicationSeconds: number;
      /** Of steps that are looked at; null where they are not finite. */
      readonly gradientNorm?: number | null;
      readonly largestAttentionLogit?: number | null;
    }
  | ({ readonly kind: 'evaluated' } & EvaluationWords);

export interface ComparisonRow {
  readonly label: string;
  readonly predictedStepTimeSeconds: number;
  readonly measuredStepTimeSeconds: number;
  /** By a profile calibrated without this plan, where there were others to calibrate on. */
  readonly repredictedStepTimeSeconds?: number;
  readonly predictedMfu: number;
  readonly measuredMfu: number;
  readonly repredictedMfu?: number;
}

export interface Comparison {
  readonly runFolder: string;
  readonly rows: readonly ComparisonRow[];
  /** Where the difference is: seconds a step by kind of work. */
  readonly byKind: readonly {
    readonly kind: string;
    readonly predictedSeconds: number;
    readonly measuredSeconds: number;
  }[];
}

export interface Services {
  readonly models: readonly Choice[];
  readonly hardware: readonly Choice[];
  /** Streams the best plans so far. @throws MeshwrightError when nothing fits or the input is wrong */
  search(
    task: TaskChoice,
    onProgress: (progress: SearchProgress) => void,
    signal: AbortSignal,
  ): Promise<SearchProgress>;
  /** Trains plan `label` of the last search here, and compares. @throws MeshwrightError */
  train(
    task: TaskChoice,
    label: string,
    onEvent: (event: TrainEvent) => void,
    signal: AbortSignal,
  ): Promise<Comparison>;
}
