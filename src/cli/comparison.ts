/** `comparison.json`: predicted beside measured, and beside what a profile calibrated on other runs predicts. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { MeshwrightError } from '../errors.js';
import { writeDocument } from '../whole-file.js';
import type { TrainReport } from '../train/index.js';
import type { JoinedSpan, KindDifference } from '../trace/index.js';
import { differencesByKind } from '../trace/index.js';
import { formatPlan } from '../job/index.js';
import { formatPercent, formatSeconds, seconds } from '../units.js';
import type { AnyAssessment } from './assess.js';
import { howToGoOn } from './interrupt.js';
import { printLine, printTable } from './output.js';
import { readDocument, writeTrace } from './run-folder.js';
import type { Trial } from './trial.js';
import { joinTrial, measuredStepSeconds, mfuOf, predictedStepSeconds, predictedTrace } from './trial.js';

const SCHEMA = 'meshwright/comparison@2';

export interface StepFigures {
  readonly stepTimeSeconds: number;
  readonly mfu: number;
}

export interface PlanComparison {
  readonly plan: string;
  readonly predicted: StepFigures;
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
  readonly chips: number;
  readonly batch: number;
  readonly peakFlopsPerSecondPerChip: number;
  readonly plans: readonly PlanComparison[];
  /** Of the plan in the run's `job.yaml`: every kernel and collective. */
  readonly spans: readonly JoinedSpan[];
  readonly stepSeconds: readonly number[];
}

const figuresOf = (predicted: AnyAssessment, step: number): StepFigures => ({
  stepTimeSeconds: step,
  mfu: mfuOf(predicted, step),
});
export const predictedFigures = (predicted: AnyAssessment): StepFigures =>
  figuresOf(predicted, predictedStepSeconds(predicted));

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

/** @param main the trial of the run's own plan */
function comparisonDocument(main: Trial, plans: readonly PlanComparison[]): ComparisonDocument {
  const { simulation } = main.predicted;
  return {
    schema: SCHEMA,
    model: simulation.model,
    hardware: simulation.hardware,
    chips: simulation.chips,
    batch: simulation.batch,
    peakFlopsPerSecondPerChip: simulation.peakFlopsPerSecondPerChip,
    plans,
    spans: joinTrial(main),
    stepSeconds: main.stepSeconds,
  };
}

/**
 * Writes what a run is looked at with: `comparison.json` and, measured beside simulated, `trace.json`.
 *
 * @throws MeshwrightError WRITE_FAILED, saying what of the run is safe
 */
export function writeRunFiles(
  folder: string,
  trial: Trial,
  plans: readonly PlanComparison[],
  report: TrainReport,
): ComparisonDocument {
  const document = comparisonDocument(trial, plans);
  const trace = join(folder, 'trace.json');
  try {
    writeDocument(folder, 'comparison.json', document);
    writeTrace(trace, [
      { name: 'measured', spans: report.typicalStep.spansByRank.flat() },
      { name: 'simulated', spans: predictedTrace(trial.predicted) },
    ]);
  } catch (error) {
    rmSync(trace, { force: true });
    if (!(error instanceof MeshwrightError)) throw error;
    const { checkpoint } = report;
    const safe = checkpoint === undefined ? {} : { hint: howToGoOn(checkpoint) };
    throw new MeshwrightError('WRITE_FAILED', { ...error.detail, ...safe }, { cause: error });
  }
  return document;
}

const stepFigures = z.object({ stepTimeSeconds: z.number(), mfu: z.number() });
const times = { predictedSeconds: z.number(), measuredSeconds: z.number() };
/** What is read of a `ComparisonDocument`, which may be of another version or damaged. */
const form = z.looseObject({
  model: z.string(),
  hardware: z.string(),
  chips: z.number(),
  batch: z.number(),
  plans: z
    .array(
      z.looseObject({
        plan: z.string(),
        predicted: stepFigures,
        measured: stepFigures.loose(),
        repredicted: stepFigures.nullable(),
        byKind: z.array(z.object({ kind: z.string(), ...times })),
      }),
    )
    .min(1),
  spans: z.array(
    z.looseObject({
      id: z.string(),
      kind: z.string(),
      name: z.string(),
      phase: z.string(),
      ...times,
      predictedExposedSeconds: z.number(),
      measuredExposedSeconds: z.number(),
    }),
  ),
  stepSeconds: z.array(z.number()).min(1),
});

/** @throws MeshwrightError RUN_INVALID */
export const readComparison = (folder: string): ComparisonDocument =>
  readDocument(folder, 'comparison.json', SCHEMA, form) as unknown as ComparisonDocument;

export const relativeError = (predicted: number, measured: number): number => predicted / measured - 1;

/** `−3.1 %` where 3.1 % too little was predicted. */
export function formatError(predicted: number, measured: number): string {
  const error = relativeError(predicted, measured);
  return `${error >= 0 ? '+' : '−'}${formatPercent(Math.abs(error))}`;
}
const time = (value: number): string => formatSeconds(seconds(value));

export function printComparison(plans: readonly PlanComparison[]): void {
  const error = (of: StepFigures | null, { measured }: PlanComparison) =>
    of === null ? '–' : formatError(of.stepTimeSeconds, measured.stepTimeSeconds);
  const columns: [string, (row: PlanComparison) => string][] = [
    ['predicted', (row) => time(row.predicted.stepTimeSeconds)],
    ['MFU', (row) => formatPercent(row.predicted.mfu)],
    ['measured', (row) => time(row.measured.stepTimeSeconds)],
    ['MFU', (row) => formatPercent(row.measured.mfu)],
    ['error', (row) => error(row.predicted, row)],
  ];
  if (plans.some(({ repredicted }) => repredicted !== null)) {
    columns.push(
      ['recalibrated', ({ repredicted }) => (repredicted === null ? '–' : time(repredicted.stepTimeSeconds))],
      ['MFU', ({ repredicted }) => (repredicted === null ? '–' : formatPercent(repredicted.mfu))],
      ['error', (row) => error(row.repredicted, row)],
    );
  }
  printTable(
    ['plan', ...columns.map(([title]) => title)],
    plans.map((row) => [row.plan, ...columns.map(([, cell]) => cell(row))]),
    columns.map((_, index) => index + 1),
  );
}

export function printKinds({ plan, byKind }: PlanComparison): void {
  printLine(`Where the difference comes from (${plan}; of collectives, what no kernel hides):`);
  printTable(
    ['', 'predicted', 'measured', 'difference'],
    byKind.map(({ kind, predictedSeconds, measuredSeconds }) => [
      kind,
      time(predictedSeconds),
      time(measuredSeconds),
      `${measuredSeconds >= predictedSeconds ? '+' : '−'}${time(Math.abs(measuredSeconds - predictedSeconds))}`,
    ]),
    [1, 2, 3],
  );
}
