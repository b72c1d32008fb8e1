/** What the UI asks of runs that are over, on a thread of its own. */
import { MeshwrightError } from '../errors.js';
import type { ErrorCode, ErrorDetail } from '../errors.js';
import type { CalibrationReport, RunDetail, RunList, RunRow, TimesRow, WorkRow } from '../tui/services.js';
import { calibrateHere } from './calibrate-here.js';
import { readComparison } from './comparison.js';
import { describeStraggler, placeText } from './comparison-view.js';
import { describeDrift, driftOfVersion } from './feedback.js';
import { readRanks } from './rank-report.js';
import { listRuns, rowOf } from './run-list.js';
import { reportOnRun } from './run-report.js';
import { hardwareText } from './stored-hardware.js';
import type { OpDifference } from './waterfall.js';
import { opsByWork } from './waterfall.js';

/** What the thread is asked; everything can be cloned. */
export type RunsRequest =
  | { readonly kind: 'list'; readonly folder: string }
  | { readonly kind: 'read'; readonly runFolder: string }
  | { readonly kind: 'calibrate'; readonly hardware: string; readonly folder: string };

export interface RunsAnswers {
  readonly list: RunList;
  readonly read: RunDetail;
  readonly calibrate: CalibrationReport;
}

/** Errors lose their class on the way between threads, so they travel as data. */
export type RunsOutcome<Answer> =
  { readonly answer: Answer } | { readonly code: ErrorCode; readonly detail: ErrorDetail };

const timesOf = ({ kind, predictedSeconds, measuredSeconds }: Omit<OpDifference, 'spans'>): TimesRow => ({
  name: kind,
  predictedSeconds,
  measuredSeconds,
});

/** With what is none of them, so that they add up to the steps; none where there are none. */
function withRest(
  rows: readonly TimesRow[],
  { predictedStepTimeSeconds, measuredStepTimeSeconds }: RunRow,
): TimesRow[] {
  if (rows.length === 0) return [];
  const sum = (of: 'predictedSeconds' | 'measuredSeconds'): number => rows.reduce((total, row) => total + row[of], 0);
  const rest = {
    name: 'all the rest',
    predictedSeconds: predictedStepTimeSeconds - sum('predictedSeconds'),
    measuredSeconds: measuredStepTimeSeconds - sum('measuredSeconds'),
  };
  return [...rows, rest];
}

/** @throws MeshwrightError RUN_INVALID */
export function readRun(runFolder: string): RunDetail {
  const document = readComparison(runFolder);
  const { waterfalls, ranks, stragglers } = reportOnRun(document, readRanks(runFolder));
  const kernels = opsByWork(document.spans);
  const { hardware, hardwareVersion: version = null } = document;
  const drift = version === null ? null : driftOfVersion(version.name, version.version);
  const row = rowOf(runFolder, document);
  return {
    row,
    byWork: waterfalls.byWork.map((one): WorkRow => ({
      ...timesOf(one),
      kernels: (kernels.get(one.kind) ?? []).map((kernel) => ({ ...timesOf(kernel), runs: kernel.spans })),
    })),
    byPhase: waterfalls.byPhase.map(timesOf),
    byCollective: withRest(waterfalls.byCollective.map(timesOf), row),
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

function answer(request: RunsRequest): RunsAnswers[RunsRequest['kind']] {
  switch (request.kind) {
    case 'list':
      return listRuns(request.folder);
    case 'read':
      return readRun(request.runFolder);
    case 'calibrate':
      return calibrateHere(request.hardware, request.folder);
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
