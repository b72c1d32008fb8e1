/** The calibration of this machine from the UI: what came of it, and which runs it was made of. */
import { dirname, relative, resolve } from 'node:path';
import type { Outcome, Recalibration } from '../calibrate/index.js';
import { MeshwrightError } from '../errors.js';
import type { CalibrationOutcome, CalibrationReport, RunRow } from '../tui/services.js';
import { fitTo, keepVersion, nameOf } from './calibration.js';
import { readComparison } from './comparison.js';
import { profileOf, whyNotKept } from './feedback.js';
import { keptMeasurements } from './measurements.js';
import { readRanks } from './rank-report.js';
import { familyOf, listRuns } from './run-list.js';
import { stragglersOf } from './run-report.js';
import { hardwareText, hardwareVersion } from './stored-hardware.js';

/** @throws MeshwrightError RUN_INVALID where no run of the profile is kept @param folder whose runs are listed beside it */
export function calibrateHere(hardware: string, folder: string): CalibrationReport {
  const measurements = keptMeasurements(hardware);
  const result = fitTo(measurements);
  const profile = nameOf(measurements);
  const before = hardwareText(profile, hardwareVersion(measurements.profile));
  const version = result.accepted ? keepVersion(measurements, result).version : null;
  return {
    isAccepted: result.accepted,
    reason: result.reason,
    profile,
    version,
    before,
    about: sentences(
      measurements.subjects.map(({ from }) => from),
      folder,
      profile,
    ),
    corrections: result.corrections.map(({ term, before: was, factor, interval }) => ({
      term,
      before: was,
      factor,
      interval,
    })),
    outcomes: outcomesOf(result),
  };
}

function outcomesOf({ check, checked, fitted }: Recalibration): CalibrationOutcome[] {
  const side =
    (on: CalibrationOutcome['side']) =>
    (one: Outcome): CalibrationOutcome => ({
      title: one.title,
      group: one.group,
      ...(one.from === undefined ? {} : { runFolder: one.from }),
      measuredSeconds: one.measuredSeconds,
      beforeSeconds: one.beforeSeconds,
      afterSeconds: one.afterSeconds,
      side: on,
    });
  return [...checked.map(side(check === 'kept-back' ? 'checked' : 'left out')), ...fitted.map(side('fitted'))];
}

const runs = (count: number): string => `${count} ${count === 1 ? 'run' : 'runs'}`;
const are = (count: number): string => (count === 1 ? 'is' : 'are');

/** Runs and folders that a sentence names. */
const MOST_NAMED = 3;

/**
 * Which runs a calibration is made of: how many, from where, and which of those that are listed it is not made of.
 *
 * @param used run folders, absolute; undefined where that is not known
 * @param folder whose runs are listed
 * @param profile that is calibrated
 */
export function sentences(used: readonly (string | undefined)[], folder: string, profile: string): string[] {
  const listed = listRuns(folder).rows;
  const known = new Set(listed.map(({ runFolder }) => resolve(runFolder)));
  const elsewhere = used.filter((path) => path === undefined || !known.has(path));
  const here = used.length - elsewhere.length;
  const places = [...new Set(elsewhere.flatMap((path) => (path === undefined ? [] : [placeOf(path, folder)])))];
  const of = new Set(used);
  const left = listed.filter(({ runFolder }) => !of.has(resolve(runFolder)));
  return [
    elsewhere.length === 0
      ? `Made of ${runs(used.length)} that this machine has kept, all in this list.`
      : `Made of ${runs(used.length)} that this machine has kept: ${here} of this list, ${elsewhere.length} not in it${places.length === 0 ? '' : ` (${places.slice(0, MOST_NAMED).join(', ')}${places.length > MOST_NAMED ? ' …' : ''})`}.`,
    ...(left.length === 0
      ? []
      : [
          `${runs(left.length)} of this list ${are(left.length)} no part of it: ${left
            .slice(0, MOST_NAMED)
            .map((row) => `${relative(folder, row.runFolder)} (${whyNotUsed(row, profile)})`)
            .join(', ')}${left.length > MOST_NAMED ? ' …' : ''}.`,
        ]),
  ];
}

/** Where runs are that are not listed: another folder, or the same, where they no longer are. */
const placeOf = (path: string, folder: string): string =>
  dirname(path) === resolve(folder) ? 'no longer there' : dirname(path);

function whyNotUsed({ runFolder }: RunRow, profile: string): string {
  try {
    const { hardware, hardwareVersion: version, stepSeconds } = readComparison(runFolder);
    const family = familyOf(runFolder);
    const own = profileOf(version?.name ?? hardware, family);
    if (own !== profile) return `it is of ${own}`;
    const ranks = readRanks(runFolder);
    return whyNotKept(family, stepSeconds.length, ranks === undefined ? [] : stragglersOf(ranks)) ?? 'not kept';
  } catch (error) {
    if (error instanceof MeshwrightError) return error.detail.got;
    throw error;
  }
}
