/** What the UI asks of runs that are over, on a thread of its own. */
import { MeshwrightError } from '../errors.js';
import type { ErrorCode, ErrorDetail } from '../errors.js';
import type { CalibrationReport, RunDetail, RunList, TimesRow, WorkRow } from '../tui/services.js';
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
