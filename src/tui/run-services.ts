/** What the UI is told of runs: while one is under way, and of those that are over. Part of `Services`. */
import type { StepTimeline } from '../trace/index.js';

/** How a trained model does on what was held out: `accuracy`, `87.2 %`, and what takes no model, `chance 10.0 %`. */
export interface EvaluationWords {
  readonly what: string;
  readonly value: string;
  readonly baseline: string;
}

/** Eight of ten runs lie between. */
export interface Between {
  readonly p10: number;
  readonly p90: number;
}

/** What a run's steps are expected to be. */
export interface Prediction {
  readonly stepTimeSeconds: number;
  readonly stepTimeInterval: Between;
  readonly mfu: number;
  readonly mfuInterval: Between;
}

export type TrainEvent =
  | { readonly kind: 'phase'; readonly text: string }
  | { readonly kind: 'folder'; readonly path: string }
  /**
   * What is expected of this run, in place of what the search predicted of its plan. Of the ranks, one of each stage. It
   * may be another prediction, for what is known since: this machine, which was measured, or the data.
   */
  | {
      readonly kind: 'predicted';
      readonly prediction: Prediction;
      readonly timeline: StepTimeline;
      readonly news: 'this-machine' | 'data';
    }
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
  /** Of the last step, now and then. */
  | { readonly kind: 'timeline'; readonly timeline: StepTimeline }
  | {
      readonly kind: 'checkpoint';
      readonly step: number;
      readonly path: string;
      readonly bytes: number;
      readonly seconds: number;
    }
  | { readonly kind: 'not-saved'; readonly reason: string }
  | { readonly kind: 'paused'; readonly isPaused: boolean; readonly step: number }
  | { readonly kind: 'skipped'; readonly path: string; readonly reason: string }
  | ({ readonly kind: 'evaluated' } & EvaluationWords);

/** What a person asks of a run under way, beside its end. */
export type RunControl = 'pause' | 'go-on' | 'checkpoint';

/** Hands over what is asked, from when somebody listens; what was asked before, then. */
export interface Asked {
  listen(listener: (control: RunControl) => void): void;
}

/** A run that is over, with what was predicted of it. */
export interface RunRow {
  readonly runFolder: string;
  /** `vit-tiny on 2 × local, batch 32` */
  readonly title: string;
  readonly model: string;
  readonly plan: string;
  /** Of runs of one model under one plan; outcomes of a calibration have the same. */
  readonly group: string;
  /** When it ended, as ISO 8601 has it. */
  readonly made: string;
  readonly steps: number;
  readonly predictedStepTimeSeconds: number;
  readonly stepTimeInterval?: Between;
  readonly measuredStepTimeSeconds: number;
  readonly predictedMfu: number;
  readonly measuredMfu: number;
}

export interface RunList {
  /** The newest first. */
  readonly rows: readonly RunRow[];
  /** Folders whose documents can't be read, and why. */
  readonly damaged: readonly { readonly runFolder: string; readonly why: string }[];
}

export interface TimesRow {
  readonly name: string;
  readonly predictedSeconds: number;
  readonly measuredSeconds: number;
}

export interface KernelRow extends TimesRow {
  /** How often it runs in a step: layers, microbatches. */
  readonly runs: number;
}

/** A part of the step, with what it is made of. */
export interface WorkRow extends TimesRow {
  readonly kernels: readonly KernelRow[];
}

export interface RankRow {
  /** `rank 1` */
  readonly name: string;
  /** Along the axes that have more than one: `data=1`. */
  readonly place: string;
  readonly predicted: Readonly<Record<RankPart, number>>;
  readonly measured: Readonly<Record<RankPart, number>>;
}

export const RANK_PARTS = ['kernels', 'collectives', 'host', 'waits'] as const;
export type RankPart = (typeof RANK_PARTS)[number];

/** Where the difference between a predicted and a measured step is: rows of each kind add up to the steps. */
export interface RunDetail {
  readonly row: RunRow;
  readonly byWork: readonly WorkRow[];
  readonly byPhase: readonly TimesRow[];
  /** By collective and axis: what no kernel hides. */
  readonly byCollective: readonly TimesRow[];
  /** None of a run of before ranks were written down. */
  readonly ranks: readonly RankRow[];
  /** Sentences: ranks that were slow, a machine that changed. */
  readonly notes: readonly string[];
}

export interface CalibrationOutcome {
  readonly title: string;
  readonly group: string;
  /** Absolute; absent where that is not known. */
  readonly runFolder?: string;
  readonly measuredSeconds: number;
  readonly beforeSeconds: number;
  /** By the profile that was fitted; of what was left out, by one that was fitted to the others. */
  readonly afterSeconds: number;
  readonly side: 'fitted' | 'checked' | 'left out';
}

export interface CalibrationReport {
  readonly isAccepted: boolean;
  /** In words, accepted or not. */
  readonly reason: string;
  /** `local`, and its new version where it was accepted. */
  readonly profile: string;
  readonly version: number | null;
  /** Which profile `before` is, as it is now: `local, version 2 (measured 2026-11-22)`. */
  readonly before: string;
  /** Sentences: which runs were used, and which of the list were not. */
  readonly about: readonly string[];
  /** What moved: new time over old for the same work, and between what it lies in eight of ten fits. */
  readonly corrections: readonly {
    readonly term: string;
    readonly before: string;
    readonly factor: number;
    readonly interval: readonly [p10: number, p90: number];
  }[];
  readonly outcomes: readonly CalibrationOutcome[];
}

export interface RunServices {
  /** The runs in this folder's `runs`. */
  runs(signal: AbortSignal): Promise<RunList>;
  /** @throws MeshwrightError RUN_INVALID */
  readRun(runFolder: string, signal: AbortSignal): Promise<RunDetail>;
  /**
   * Corrects the profile of this machine by all runs that are kept of it; a new version where they are predicted better.
   *
   * @throws MeshwrightError RUN_INVALID where there are none
   */
  calibrate(signal: AbortSignal): Promise<CalibrationReport>;
}
