/** `comparison.json`: predicted beside measured, and beside what a profile calibrated on other runs predicts. */
import { z } from 'zod';
import { MeshwrightError } from '../errors.js';
import { writeDocument } from '../whole-file.js';
import { WORK_KINDS } from '../hardware/index.js';
import type { Timing, TrainReport } from '../train/index.js';
import type { KindDifference } from '../trace/index.js';
import { differencesByKind } from '../trace/index.js';
import { formatPlan } from '../job/index.js';
import type { AnyAssessment } from './assess.js';
import { howToGoOn } from './interrupt.js';
import type { PredictionIntervals } from './intervals.js';
import { timesInterval } from './intervals.js';
import { opOf, timesWork, workOf } from './kernel-costs.js';
import type { RanksDocument } from './rank-report.js';
import { ranksDocument, writeRanks } from './rank-report.js';
import { readDocument, writeRunTrace } from './run-folder.js';
import type { HardwareVersion } from './stored-hardware.js';
import { hardwareVersion } from './stored-hardware.js';
import type { Trial } from './trial.js';
import { joinTrial, measuredStepSeconds, mfuOf, predictedStepSeconds, predictedTrace } from './trial.js';
import type { ComparedSpan } from './waterfall.js';

const SCHEMA = 'meshwright/comparison@3';
/** Without versions of hardware and intervals, without axes and kinds of work of spans. */
const OLDER = ['meshwright/comparison@2'];

export interface StepFigures {
  readonly stepTimeSeconds: number;
  readonly mfu: number;
}

/** With what eight of ten runs are between; a run of before has no intervals. */
export interface PredictedFigures extends StepFigures, Partial<PredictionIntervals> {}

export interface PlanComparison {
  readonly plan: string;
  readonly predicted: PredictedFigures;
  readonly measured: StepFigures & {
    readonly steps: number;
    readonly fastestSeconds: number;
    readonly slowestSeconds: number;
  };
  /** By a profile calibrated without this plan; null where there was no other to calibrate on. */
  readonly repredicted: StepFigures | null;
  /** Collectives by what of them is exposed, so that all adds up to the steps. */
  readonly byKind: readonly KindDifference[];
}

export interface ComparisonDocument {
  readonly schema: typeof SCHEMA;
  readonly model: string;
  readonly hardware: string;
  /** Of the profile that the run was predicted by; null of a shipped one or a file, absent in a run of before. */
  readonly hardwareVersion?: HardwareVersion | null;
  readonly chips: number;
  readonly batch: number;
  readonly peakFlopsPerSecondPerChip: number;
  readonly plans: readonly PlanComparison[];
  /** Of the plan in the run's `job.yaml`: every kernel and collective. */
  readonly spans: readonly ComparedSpan[];
  readonly stepSeconds: readonly number[];
}

const figuresOf = (predicted: AnyAssessment, step: number): StepFigures => ({
  stepTimeSeconds: step,
  mfu: mfuOf(predicted, step),
});

export function predictedFigures(predicted: AnyAssessment): PredictedFigures {
  const step = predictedStepSeconds(predicted);
  const { stepTimeSeconds } = predicted.simulation;
  const { stepTimeInterval, mfuInterval } = predicted.intervals();
  return {
    ...figuresOf(predicted, step),
    stepTimeInterval: timesInterval(stepTimeInterval, step / stepTimeSeconds),
    mfuInterval: timesInterval(mfuInterval, stepTimeSeconds / step),
  };
}

export function comparePlan(trial: Trial, again?: AnyAssessment): PlanComparison {
  const step = measuredStepSeconds(trial);
  const predicted = predictedFigures(trial.predicted);
  return {
    plan: formatPlan(trial.predicted.job.plan),
    predicted,
    measured: {
      ...figuresOf(trial.predicted, step),
      steps: trial.stepSeconds.length,
      fastestSeconds: Math.min(...trial.stepSeconds),
      slowestSeconds: Math.max(...trial.stepSeconds),
    },
    repredicted: again === undefined ? null : predictedFigures(again),
    byKind: differencesByKind(joinTrial(trial), { predictedSeconds: predicted.stepTimeSeconds, measuredSeconds: step }),
  };
}

function comparedSpans(trial: Trial): ComparedSpan[] {
  const works = workOf(trial.predicted);
  return joinTrial(trial).map((span) => {
    const work = span.kind === 'kernel' ? works.get(opOf(span.id)) : undefined;
    return work === undefined ? span : { ...span, work: timesWork(work, span.runs ?? 1) };
  });
}

/** @param main the trial of the run's own plan */
function comparisonDocument(main: Trial, plans: readonly PlanComparison[]): ComparisonDocument {
  const { simulation } = main.predicted;
  return {
    schema: SCHEMA,
    model: simulation.model,
    hardware: simulation.hardware,
    hardwareVersion: hardwareVersion(main.predicted.job),
    chips: simulation.chips,
    batch: simulation.batch,
    peakFlopsPerSecondPerChip: simulation.peakFlopsPerSecondPerChip,
    plans,
    spans: comparedSpans(main),
    stepSeconds: main.stepSeconds,
  };
}

/**
 * Writes what a run is looked at with: `comparison.json`, `ranks.json` and, measured beside simulated, `trace.json`.
 *
 * @param trial of the steps that the report is of, unless `ofRanks` says what ranks did in them
 *
 * @throws MeshwrightError WRITE_FAILED, saying what of the run is safe
 */
export function writeRunFiles(
  folder: string,
  trial: Trial,
  plans: readonly PlanComparison[],
  report: TrainReport,
  ofRanks: Pick<Timing, 'rankSpans' | 'slowness'> = report,
): WrittenRun {
  const document = comparisonDocument(trial, plans);
  const ranks = ranksDocument(trial, ofRanks);
  try {
    writeDocument(folder, 'comparison.json', document);
    writeRanks(folder, ranks);
    writeRunTrace(folder, [
      { name: 'measured', spans: report.typicalStep.spansByRank.flat() },
      { name: 'simulated', spans: predictedTrace(trial.predicted) },
    ]);
  } catch (error) {
    if (!(error instanceof MeshwrightError)) throw error;
    const { checkpoint } = report;
    const safe = checkpoint === undefined ? {} : { hint: howToGoOn(checkpoint) };
    throw new MeshwrightError('WRITE_FAILED', { ...error.detail, ...safe }, { cause: error });
  }
  return { comparison: document, ranks };
}

/** What `compare` reads again. */
export interface WrittenRun {
  readonly comparison: ComparisonDocument;
  readonly ranks: RanksDocument;
}

const stepFigures = z.object({ stepTimeSeconds: z.number(), mfu: z.number() });
const interval = z.object({ p10: z.number(), p50: z.number(), p90: z.number(), source: z.string() }).optional();
const beside = { predictedSeconds: z.number(), measuredSeconds: z.number() };
/** What is read of a `ComparisonDocument`, which may be of another version or damaged. */
const form = z.looseObject({
  model: z.string(),
  hardware: z.string(),
  hardwareVersion: z.looseObject({ name: z.string(), version: z.number(), made: z.string(), by: z.string() }).nullish(),
  chips: z.number(),
  batch: z.number(),
  plans: z
    .array(
      z.looseObject({
        plan: z.string(),
        predicted: stepFigures.extend({ stepTimeInterval: interval, mfuInterval: interval }),
        measured: stepFigures.loose(),
        repredicted: stepFigures.nullable(),
        byKind: z.array(z.object({ kind: z.string(), ...beside })),
      }),
    )
    .min(1),
  spans: z.array(
    z.looseObject({
      id: z.string(),
      kind: z.string(),
      name: z.string(),
      phase: z.string(),
      ...beside,
      predictedExposedSeconds: z.number(),
      measuredExposedSeconds: z.number(),
      work: z.partialRecord(z.enum(WORK_KINDS), z.number().nonnegative()).optional(),
    }),
  ),
  stepSeconds: z.array(z.number()).min(1),
});

/** @throws MeshwrightError RUN_INVALID */
export const readComparison = (folder: string): ComparisonDocument =>
  readDocument(folder, 'comparison.json', [SCHEMA, ...OLDER], form) as unknown as ComparisonDocument;
