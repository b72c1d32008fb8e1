/** What a report is made of. The commands gather it; nothing here simulates or reads files. */
import type { PlanPart } from '../planner/index.js';
import type { KindDifference } from '../trace/index.js';
import type { Parts } from './parts.js';
import type { Details, Machine, SimulationResult } from '../../sim/index.js';

/** Eight of ten runs lie between p10 and p90. */
export interface Interval {
  readonly p10: number;
  readonly p50: number;
  readonly p90: number;
  /** What it was learned from. */
  readonly source: string;
}

/** A simulated step, looked at closely. */
export interface ReportedStep extends SimulationResult, Details {
  readonly links: Details['links'];
  readonly model: string;
  readonly batch: number;
  readonly microbatches: number;
  /** In its short form. */
  readonly plan: string;
  readonly faults: readonly string[];
  readonly mfuByFormula: number;
  readonly stepTimeInterval: Interval;
  readonly mfuInterval: Interval;
  readonly training: ReportedTraining | null;
  readonly advice: readonly ReportedAdvice[];
  readonly pipeline?: ReportedPipeline;
}

export interface ReportedTraining {
  readonly steps: number;
  readonly tokens: number;
  readonly days: number;
  readonly chipHours: number;
  readonly dollars: number | null;
}

export interface ReportedAdvice {
  readonly change: string;
  readonly stepTimeSeconds: number;
  readonly peakMemoryBytesPerChip: number;
  /** Null where the step that it is about does not fit. */
  readonly faster: number | null;
}

export interface ReportedPipeline {
  readonly schedule: string;
  readonly bubbleFraction: number;
  readonly slowestStage: number;
  readonly largestStage: number;
  readonly byStage: readonly {
    readonly layers: number;
    readonly busySeconds: number;
    readonly bubbleSeconds: number;
    readonly exposedTransferSeconds: number;
    readonly peakMemoryBytesPerChip: number;
  }[];
}

/** A part of the step's time: what it is, its seconds, and its colour. */
export interface TimePart {
  readonly name: string;
  readonly seconds: number;
  readonly colour: string;
}

/** Something that a lane shows from a time on to another. */
export interface LaneSpan {
  /** An op's id, completed by the iterations around it; or what else it is. */
  readonly id: string;
  readonly start: number;
  readonly end: number;
  /** Which colour it has, and the word for it: one of `categories`. */
  readonly category: string;
  /** Of a kernel that is limited by one thing after the other: its time by category, the same object for all its runs. */
  readonly parts?: Parts<string>;
}

/** A row of a timeline. Its spans do not overlap, and ascend. */
export interface Lane {
  readonly name: string;
  /** Whether spans' parts only say in what proportion they are; otherwise what a span takes longer is contention. */
  readonly isMeasured?: boolean;
  readonly spans: readonly LaneSpan[];
}

export interface Lanes {
  readonly lanes: readonly Lane[];
  /** The end of what is shown. */
  readonly seconds: number;
  /** What is not shown, in words. */
  readonly note?: string;
}

/** A plan that was simulated in a search. */
export interface SearchedPlan {
  readonly plan: string;
  readonly chips: number;
  readonly stepTimeSeconds: number;
  readonly peakMemoryBytesPerChip: number;
  readonly mfu: number;
}

export interface Search {
  readonly title: string;
  /** By step time. */
  readonly best: readonly SearchedPlan[];
  /** Those that no other beats in step time, memory and chips at once. */
  readonly front: readonly SearchedPlan[];
  readonly counts: { readonly candidates: number; readonly simulated: number; readonly doNotFit: number };
  readonly isComplete: boolean;
  /** The winner in words; absent where only its file is known. */
  readonly words?: readonly PlanPart[];
}

/** A plan of a run: predicted before, measured, and predicted by what other plans' runs taught. */
export interface MeasuredPlan {
  readonly plan: string;
  readonly predicted: {
    readonly stepTimeSeconds: number;
    readonly mfu: number;
    readonly stepTimeInterval?: Interval;
  };
  readonly measured: {
    readonly stepTimeSeconds: number;
    readonly mfu: number;
    readonly fastestSeconds: number;
    readonly slowestSeconds: number;
  };
  readonly repredicted: { readonly stepTimeSeconds: number; readonly mfu: number } | null;
}

export interface RankParts {
  readonly kernels: number;
  readonly collectives: number;
  readonly host: number;
  readonly waits: number;
}

export interface MeasuredRun {
  /** The run's own plan first. */
  readonly plans: readonly MeasuredPlan[];
  readonly stepSeconds: readonly number[];
  readonly steps: { readonly count: number; readonly p10Seconds: number; readonly p90Seconds: number };
  readonly byWork: readonly KindDifference[];
  /** Null of a run of before ranks were written down one by one. */
  readonly ranks: readonly RankOfRun[] | null;
  readonly stragglers: readonly string[];
}

export interface RankOfRun {
  readonly name: string;
  readonly predicted: RankParts;
  readonly measured: RankParts;
}

/** A job or a run. */
export interface Subject {
  /** `vit-22b on 1024 × tpu-v4, batch 65,536` */
  readonly title: string;
  /** Its file or folder, as it was given. */
  readonly source: string;
  /** A few words that tell it from the others. */
  readonly name: string;
  readonly hardware: string;
  readonly step: ReportedStep;
  readonly parts: readonly TimePart[];
  readonly words: readonly PlanPart[];
  /** What it spends its time on, in a sentence. */
  readonly why: string;
  /** Null where there is too much to look at one by one. */
  readonly lanes: Lanes | null;
  readonly machine: Machine;
  /** By the index of the machine's links: of what each could carry in the step. */
  readonly linkUtilization: readonly number[];
  readonly run?: MeasuredRun;
  /** Of a run: the last step that was recorded, rank by rank. */
  readonly measuredLanes?: Lanes;
  readonly search?: Search;
}

export interface ReportDocument {
  /** Of Meshwright. */
  readonly version: string;
  readonly subjects: readonly Subject[];
  readonly searches: readonly Search[];
}
