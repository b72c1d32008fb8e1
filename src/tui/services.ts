/**
 * What the terminal UI asks of the rest of the program. It is given these by the CLI, so that the UI starts no work of
 * its own and its tests need no machine.
 */
import type { Asked, RunServices, TrainEvent } from './run-services.js';

export type * from './run-services.js';

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

export interface Services extends RunServices {
  readonly models: readonly Choice[];
  readonly hardware: readonly Choice[];
  /** Streams the best plans so far. @throws MeshwrightError when nothing fits or the input is wrong */
  search(
    task: TaskChoice,
    onProgress: (progress: SearchProgress) => void,
    signal: AbortSignal,
  ): Promise<SearchProgress>;
  /**
   * Trains plan `label` of the last search here, and compares.
   *
   * @param asked what is asked of the run as it goes
   * @returns the run folder
   * @throws MeshwrightError
   */
  train(
    task: TaskChoice,
    label: string,
    onEvent: (event: TrainEvent) => void,
    signal: AbortSignal,
    asked: Asked,
  ): Promise<string>;
}
