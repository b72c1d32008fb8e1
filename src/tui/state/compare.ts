/** The last screen: runs beside what was predicted of them, down to kernels, and the calibration of this machine. */
import type { CalibrationReport, RunDetail, RunList, RunRow, TimesRow, WorkRow } from '../services.js';
import { omit } from '../../omit.js';
import type { Press } from './press.js';
import { isCharacter, isKey, move } from './press.js';

/** In which ways a run's difference is told apart, in the order of the key that goes through them. */
export const VIEWS = ['work', 'phase', 'collectives', 'ranks'] as const;
export type View = (typeof VIEWS)[number];

/** A run that is looked at. */
export interface OpenedRun {
  readonly runFolder: string;
  /** Absent while it is read. */
  readonly detail?: RunDetail;
  readonly view: View;
  readonly row: number;
  /** The row of kernels that is looked at, of the kind of work that `row` is. */
  readonly kernel?: number;
}

export interface CompareState {
  /** Absent while they are looked for. */
  readonly list?: RunList;
  /** Of the run looked at in the list; the newest where there is none. */
  readonly chosen?: string;
  readonly opened?: OpenedRun;
  /** The last one, also while another is under way. */
  readonly calibration?: CalibrationReport;
  /** The last one that changed the profile: what is predicted by today. */
  readonly accepted?: CalibrationReport;
  readonly isCalibrating?: true;
  /** The first line shown of the calibration's report, where that is on the screen. */
  readonly reportLine?: number;
}

/** What a press asks for, beside the new state. */
export type CompareRequest =
  { readonly kind: 'read'; readonly runFolder: string } | { readonly kind: 'calibrate' } | { readonly kind: 'leave' };

export interface Pressed {
  readonly state: CompareState;
  readonly request?: CompareRequest;
  readonly notice?: string;
}

export const selectedRun = ({ list, chosen }: CompareState): number =>
  Math.max(0, list?.rows.findIndex(({ runFolder }) => runFolder === chosen) ?? 0);

const opening = (runFolder: string): OpenedRun => ({ runFolder, view: 'work', row: 0 });

/** @param runFolder of a run that has just ended: it is looked at first */
export const initialCompare = (runFolder?: string): CompareState =>
  runFolder === undefined ? {} : { chosen: runFolder, opened: opening(runFolder) };

/** Rows of a view that can be chosen. */
export function rowsOf(detail: RunDetail, view: View): readonly Pick<TimesRow, 'name'>[] {
  switch (view) {
    case 'work':
      return detail.byWork;
    case 'phase':
      return detail.byPhase;
    case 'collectives':
      return detail.byCollective;
    case 'ranks':
      return detail.ranks;
  }
}

/** The kernels that Enter goes down to. */
export const kernelsOf = ({ detail, view, row }: OpenedRun): WorkRow['kernels'] =>
  view === 'work' ? (detail?.byWork[row]?.kernels ?? []) : [];

function pressKernels(opened: OpenedRun, press: Press): OpenedRun {
  const { kernel = 0, ...rest } = opened;
  if (isKey(press, 'escape')) return rest;
  return { ...opened, kernel: move(kernel, press, kernelsOf(opened).length) };
}

function pressRun(state: CompareState, opened: OpenedRun, press: Press): Pressed {
  const { detail, view, row } = opened;
  const to = (changed: OpenedRun): Pressed => ({ state: { ...state, opened: changed } });
  if (detail !== undefined && opened.kernel !== undefined) return to(pressKernels(opened, press));
  if (isKey(press, 'escape')) return { state: omit(state, 'opened') };
  if (detail === undefined) return { state };
  const turn = isKey(press, 'tab') ? 1 : isKey(press, 'backtab') ? VIEWS.length - 1 : 0;
  if (turn > 0) return to({ ...opened, view: VIEWS[(VIEWS.indexOf(view) + turn) % VIEWS.length]!, row: 0 });
  if (isKey(press, 'enter')) {
    if (kernelsOf(opened).length > 0) return to({ ...opened, kernel: 0 });
    return {
      state,
      notice: view === 'work' ? 'There are no kernels in it.' : 'Kernels are listed by kind of work: Tab.',
    };
  }
  return to({ ...opened, row: move(row, press, rowsOf(detail, view).length) });
}

function pressList(state: CompareState, press: Press): Pressed {
  const { list, calibration, isCalibrating } = state;
  if (isKey(press, 'escape')) return { state, request: { kind: 'leave' } };
  if (isCharacter(press, 'c')) {
    if (isCalibrating === true) return { state, notice: 'A calibration is under way.' };
    return { state: { ...state, isCalibrating: true }, request: { kind: 'calibrate' } };
  }
  if (isCharacter(press, 'v') && calibration !== undefined) return { state: { ...state, reportLine: 0 } };
  if (list === undefined || list.rows.length === 0) return { state };
  const selected = selectedRun(state);
  if (isKey(press, 'enter')) {
    const { runFolder } = list.rows[selected]!;
    return { state: { ...state, chosen: runFolder, opened: opening(runFolder) }, request: { kind: 'read', runFolder } };
  }
  return { state: { ...state, chosen: list.rows[move(selected, press, list.rows.length)]!.runFolder } };
}

/** @param lastLine how far a calibration's report can scroll */
export function pressCompare(state: CompareState, press: Press, lastLine: number): Pressed {
  const { reportLine, ...rest } = state;
  if (reportLine !== undefined) {
    if (isKey(press, 'escape')) return { state: rest };
    return { state: { ...state, reportLine: move(Math.min(reportLine, lastLine), press, lastLine + 1) } };
  }
  return state.opened === undefined ? pressList(state, press) : pressRun(state, state.opened, press);
}

export const withDetail = (state: CompareState, detail: RunDetail): CompareState =>
  state.opened?.runFolder === detail.row.runFolder ? { ...state, opened: { ...state.opened, detail } } : state;

/** Its report is shown at once, unless a run is being looked at: then the list says that it is there. */
export const withCalibration = (state: CompareState, calibration: CalibrationReport): CompareState => ({
  ...omit(state, 'isCalibrating'),
  calibration,
  ...(calibration.isAccepted ? { accepted: calibration } : {}),
  ...(state.opened === undefined ? { reportLine: 0 } : {}),
});

const NO_RUNS: RunList = { rows: [], damaged: [] };

/** A calibration that failed is as if it had not been asked for. */
export const withoutCalibration = (state: CompareState): CompareState => omit(state, 'isCalibrating');

/** As are runs that can't be listed or looked at. */
export function withoutReading({ opened, list = NO_RUNS, ...state }: CompareState): CompareState {
  return {
    ...state,
    list,
    ...(opened?.detail === undefined ? {} : { opened }),
  };
}

/**
 * By the profile as it was calibrated here last; nothing before that, and of runs of plans that it had no part of. Of one
 * plan all runs are predicted alike.
 */
export function recalibratedSeconds({ group }: RunRow, { accepted }: CompareState): number | undefined {
  return accepted?.outcomes.find((outcome) => outcome.group === group && outcome.side !== 'left out')?.afterSeconds;
}
