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

export interface ModelChoice extends Choice {
  /** Of an image, or words of a sequence; absent of a file. */
  readonly tokensPerExample?: number;
  /** What a job file says of the other fields. */
  readonly fills?: Partial<Omit<TaskChoice, 'model'>>;
}

export interface HardwareChoice extends Choice {
  readonly memoryBytesPerChip?: number;
  /** In the type that jobs compute in unless they say otherwise. */
  readonly peakFlopsPerSecondPerChip?: number;
  readonly chipsPerNode?: number;
}

export interface TaskChoice {
  /** A preset's name, or the path of a job file, which may say more than the model. */
  readonly model: string;
  /** A profile's name or path. */
  readonly hardware: string;
  readonly chips: number;
  readonly batch: number;
}

/** What a search is to choose among. */
export interface SearchWish {
  readonly breadth: 'usual' | 'full';
  /** By the name of a dimension, what it may be, as `16`, `1..8` or `ring,synchronous`; null where it is free. */
  readonly settings: Readonly<Record<string, string | null>>;
}

/** Something of a plan that a search may choose: the size of an axis, a count, an option. */
export interface Dimension {
  /** As plans name it. */
  readonly name: string;
  /** What can be chosen by hand. */
  readonly values: readonly string[];
  /** What it is in a plan that does not name it. */
  readonly unnamed: string;
  /** What a search tries, in words. */
  readonly searched: string;
  /** What it is fixed to; absent where it is free. */
  readonly setting?: string;
}

/** One simulated plan. */
export interface PlanRow {
  /** `data=64,model=16 microbatches=8` */
  readonly label: string;
  /** From 1, by step time; null for a plan that others beat, but none with as little memory. */
  readonly rank: number | null;
  readonly stepTimeSeconds: number;
  /** What eight of ten runs take, in seconds. */
  readonly stepTimeInterval: { readonly p10: number; readonly p90: number };
  readonly mfu: number;
  /** Between which it lies in eight of ten runs. */
  readonly mfuInterval: { readonly p10: number; readonly p90: number };
  readonly hfu: number;
  readonly peakMemoryBytesPerChip: number;
  readonly memoryBytesPerChip: number;
  /** What of it plans may use: without what the runtime keeps. */
  readonly usableMemoryBytesPerChip: number;
  readonly memoryBytesByRole: Readonly<Record<string, number>>;
  /** What the step time is made of, by words such as `matmuls` and `model exposed`. */
  readonly timeByPart: Readonly<Record<string, number>>;
  readonly exposedCommunicationSeconds: number;
  readonly hiddenCommunicationSeconds: number;
  /** At list prices on demand, chips alone; absent where the profile has no price. */
  readonly cost?: {
    /** Of a `unit`, which makes plans comparable: `M images`, `B tokens`. */
    readonly dollars: number;
    readonly unit: string;
    /** `11.1 USD and 585 Wh a step, 169 USD and 8.92 kWh a million images` */
    readonly words: string;
  };
  /** A sentence: what it spends its time on, and why it beats the next. */
  readonly why: string;
  /** Whether this machine can train it. */
  readonly runsHere: boolean;
  /** This machine has no profile of its own yet: it is measured before the first training, which changes predictions. */
  readonly measuresFirst?: true;
}

export interface SearchProgress {
  /** The fastest first. */
  readonly plans: readonly PlanRow[];
  /** Plans that were looked at, and what became of those that were decided on. */
  readonly counts: {
    readonly candidates: number;
    readonly simulated: number;
    readonly doNotFit: number;
    /** A lower bound of their step time says that they are not among the best. */
    readonly boundedOut: number;
  };
  /** In the order to show them; the same all through a search. */
  readonly dimensions: readonly Dimension[];
  readonly done: boolean;
}

/** What a chip is at: communication is waited for, or goes on behind kernels. */
export type Activity = 'forward' | 'backward' | 'update' | 'waited' | 'hidden';

/** A chip's kernels, one axis' communication, or a stage. */
export interface TimelineLane {
  readonly name: string;
  readonly kind: 'compute' | 'communication';
  /** Of each of as many equal parts of the time, the share that something takes; what is left is idle. */
  readonly shares: Readonly<Partial<Record<Activity, readonly number[]>>>;
}

/** A step, or a part of it, over time. */
export interface Timeline {
  readonly fromSeconds: number;
  readonly toSeconds: number;
  readonly lanes: readonly TimelineLane[];
}

/** A part of a step, as shares of it. */
export interface TimeWindow {
  readonly from: number;
  readonly to: number;
}

/** One plan looked at closely. */
export interface PlanLook {
  /** Null where a step has too many kernels and collectives to follow each. */
  readonly timeline: Timeline | null;
  readonly bound: {
    readonly seconds: number;
    /** The MFU of a step that takes no longer than its bound. */
    readonly mfu: number;
    /** `matmuls at peak rate` */
    readonly by: string;
  };
  /** What each word of the plan does. */
  readonly parts: readonly { readonly part: string; readonly text: string }[];
}

export interface Services extends RunServices {
  readonly models: readonly ModelChoice[];
  readonly hardware: readonly HardwareChoice[];
  /** Job files and hardware profiles that lie here; and of shipped profiles what there is to say, where `hardware` has but names. */
  files(): Promise<{ readonly models: readonly ModelChoice[]; readonly hardware: readonly HardwareChoice[] }>;
  /** Streams the best plans so far. @throws MeshwrightError when nothing fits or the input is wrong */
  search(
    task: TaskChoice,
    wish: SearchWish,
    onProgress: (progress: SearchProgress) => void,
    signal: AbortSignal,
  ): Promise<SearchProgress>;
  /** Looks closely at plan `label` of a search. @throws MeshwrightError */
  look(task: TaskChoice, label: string, window: TimeWindow): Promise<PlanLook>;
  /** Writes plan `label` as a job file that is not there yet. @throws MeshwrightError */
  writeJob(task: TaskChoice, label: string, path: string): Promise<void>;
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
