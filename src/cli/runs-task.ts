/** Runs that are over, as the UI shows them, and the calibration of this machine: on a thread of its own. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { MeshwrightError } from '../errors.js';
import type { ErrorCode, ErrorDetail } from '../errors.js';
import { readJob } from '../job/index.js';
import { DEFAULT_FAMILY } from '../runtime/kernels/families.js';
import type { CalibrationReport, RunDetail, RunList, RunRow, TimesRow, WorkRow } from '../tui/services.js';
import { fitTo, keepVersion, nameOf } from './calibration.js';
import type { ComparisonDocument } from './comparison.js';
import { readComparison } from './comparison.js';
import { describeStraggler, placeText } from './comparison-view.js';
import { describeDrift, driftOfVersion } from './feedback.js';
import { keptMeasurements } from './measurements.js';
import { readRanks } from './rank-report.js';
import { reportOnRun } from './run-report.js';
import { hardwareText } from './stored-hardware.js';
import type { OpDifference } from './waterfall.js';
import { opsByWork } from './waterfall.js';

/** What the thread is asked; everything can be cloned. */
export type RunsRequest =
  | { readonly kind: 'list'; readonly folder: string }
  | { readonly kind: 'read'; readonly runFolder: string }
  | { readonly kind: 'calibrate'; readonly hardware: string };

export interface RunsAnswers {
  readonly list: RunList;
  readonly read: RunDetail;
  readonly calibrate: CalibrationReport;
}

/** Errors lose their class on the way between threads, so they travel as data. */
export type RunsOutcome<Answer> =
  { readonly answer: Answer } | { readonly code: ErrorCode; readonly detail: ErrorDetail };

const COMPARISON = 'comparison.json';

/** The family that a run's job names; it is part of what runs are grouped by. */
function familyOf(runFolder: string): string {
  return readJob(join(runFolder, 'job.yaml')).training?.family ?? DEFAULT_FAMILY;
}

function rowOf(runFolder: string, document: ComparisonDocument): RunRow {
  const { model, chips, batch, hardware, hardwareVersion = null, plans, stepSeconds } = document;
  const [{ plan, predicted, measured }] = plans as readonly [ComparisonDocument['plans'][number]];
  const { stepTimeInterval: between } = predicted;
  return {
    runFolder,
    title: `${model} on ${chips} × ${hardwareText(hardware, hardwareVersion)}, batch ${batch}`,
    model,
    plan,
    group: `${model} ${plan} batch ${batch} ${familyOf(runFolder)}`,
    made: statSync(join(runFolder, COMPARISON)).mtime.toISOString(),
    steps: stepSeconds.length,
    predictedStepTimeSeconds: predicted.stepTimeSeconds,
    ...(between === undefined ? {} : { stepTimeInterval: { p10: between.p10, p90: between.p90 } }),
    measuredStepTimeSeconds: measured.stepTimeSeconds,
    predictedMfu: predicted.mfu,
    measuredMfu: measured.mfu,
  };
}

/** Folders in `folder` with a comparison in them; those that were cut off before have none. */
export function listRuns(folder: string): RunList {
  const rows: RunRow[] = [];
  const damaged: { runFolder: string; why: string }[] = [];
  const names = existsSync(folder) ? readdirSync(folder, { withFileTypes: true }) : [];
  for (const entry of names) {
    const runFolder = join(folder, entry.name);
    if (!entry.isDirectory() || !existsSync(join(runFolder, COMPARISON))) continue;
    try {
      rows.push(rowOf(runFolder, readComparison(runFolder)));
    } catch (error) {
      if (!(error instanceof MeshwrightError)) throw error;
      damaged.push({ runFolder, why: error.detail.got });
    }
  }
  return { rows: rows.toSorted((a, b) => (a.made < b.made ? 1 : -1)), damaged };
}

const timesOf = ({ kind, predictedSeconds, measuredSeconds }: Omit<OpDifference, 'spans'>): TimesRow => ({
  name: kind,
  predictedSeconds,
  measuredSeconds,
});

/** @throws MeshwrightError RUN_INVALID */
export function readRun(runFolder: string): RunDetail {
  const document = readComparison(runFolder);
  const { waterfalls, ranks, stragglers } = reportOnRun(document, readRanks(runFolder));
  const kernels = opsByWork(document.spans);
  const { hardware, hardwareVersion: version = null } = document;
  const drift = version === null ? null : driftOfVersion(version.name, version.version);
  return {
    row: rowOf(runFolder, document),
    byWork: waterfalls.byWork.map((row): WorkRow => ({
      ...timesOf(row),
      kernels: (kernels.get(row.kind) ?? []).map((one) => ({ ...timesOf(one), runs: one.spans })),
    })),
    byPhase: waterfalls.byPhase.map(timesOf),
    byCollective: waterfalls.byCollective.map(timesOf),
    ranks: (ranks ?? []).map((one) => ({
      name: `rank ${one.rank}`,
      place: placeText(one),
      predicted: one.predicted,
      measured: one.measured,
    })),
    notes: [
      ...(stragglers ?? []).map((one) => `Straggler: ${describeStraggler(one)}`),
      ...(drift === null ? [] : [describeDrift(drift, hardwareText(hardware, version))]),
    ],
  };
}

/** @throws MeshwrightError RUN_INVALID where no run of the profile is kept */
export function calibrateHere(hardware: string): CalibrationReport {
  const measurements = keptMeasurements(hardware);
  const result = fitTo(measurements);
  const profile = nameOf(measurements);
  const version = result.accepted ? keepVersion(measurements, result).version : null;
  const outcome = (isChecked: boolean) => (one: (typeof result.fitted)[number]) => ({
    title: one.title,
    group: one.group,
    measuredSeconds: one.measuredSeconds,
    beforeSeconds: one.beforeSeconds,
    afterSeconds: one.afterSeconds,
    isChecked,
  });
  return {
    isAccepted: result.accepted,
    reason: result.reason,
    profile,
    version,
    corrections: result.corrections.map(({ term, before, factor, interval }) => ({ term, before, factor, interval })),
    outcomes: [...result.checked.map(outcome(true)), ...result.fitted.map(outcome(false))],
  };
}

function answer(request: RunsRequest): RunsAnswers[RunsRequest['kind']] {
  switch (request.kind) {
    case 'list':
      return listRuns(request.folder);
    case 'read':
      return readRun(request.runFolder);
    case 'calibrate':
      return calibrateHere(request.hardware);
  }
}

export function answerSafely(request: RunsRequest): RunsOutcome<RunsAnswers[RunsRequest['kind']]> {
  try {
    return { answer: answer(request) };
  } catch (error) {
    if (error instanceof MeshwrightError) return { code: error.code, detail: error.detail };
    throw error;
  }
}
