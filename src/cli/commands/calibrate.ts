import { relative } from 'node:path';
import type { Check, Outcome, Recalibration } from '../../calibrate/index.js';
import { MeshwrightError } from '../../errors.js';
import { formatPercent, formatSeconds, seconds } from '../../units.js';
import { writeDocument } from '../../whole-file.js';
import { fitTo, keepVersion, nameOf } from '../calibration.js';
import { formatError } from '../comparison-view.js';
import { saveProfile } from '../experiment.js';
import type { Measurements } from '../measurements.js';
import { keptMeasurements, readMeasurements } from '../measurements.js';
import { printJson, printLine, printTable } from '../output.js';
import { createRunFolder, requireFree } from '../run-folder.js';
import { hardwareText, hardwareVersion } from '../stored-hardware.js';

export interface CalibrateFlags {
  /** Run folders, and files of other tools; the runs that the profile's store has kept unless given. */
  readonly runs?: readonly string[];
  /** The profile, where it is not that of the runs. */
  readonly hardware?: string;
  /** Runs that the fit is checked on; of `runs`, one plan in three unless given. */
  readonly check?: readonly string[];
  readonly output?: string;
  readonly json?: boolean;
}

const time = (value: number): string => formatSeconds(seconds(value));

function printOutcomes(title: string, outcomes: readonly Outcome[]): void {
  if (outcomes.length === 0) return;
  printLine(title);
  const isNamed = outcomes.some(({ from }) => from !== undefined);
  printTable(
    [...(isNamed ? ['run'] : []), 'plan', 'measured', 'before', 'error', 'after', 'error'],
    outcomes.map(({ title: plan, from, measuredSeconds: measured, beforeSeconds: before, afterSeconds: after }) => [
      ...(isNamed ? [from === undefined ? '' : nearPath(from)] : []),
      plan,
      time(measured),
      time(before),
      formatError(before, measured),
      time(after),
      formatError(after, measured),
    ]),
    isNamed ? [2, 3, 4, 5, 6] : [1, 2, 3, 4, 5],
  );
  printLine();
}

/** From here where it is below, else in full. */
function nearPath(path: string): string {
  const near = relative('.', path);
  return near.startsWith('..') || near === '' ? path : near;
}

const CHECKED: Readonly<Record<Check, string>> = {
  'kept-back': 'Checked, none of them fitted:',
  'other-plans': 'Checked, each by a fit to the runs of other plans:',
  'other-runs': 'Checked, each by a fit to the other runs:',
  itself: '',
};

function printReport(
  { corrections, fitted, check, checked, uncertainty, reason }: Recalibration,
  before: string,
): void {
  printLine('What moved, new time over old for the same work, and between what it lies in 8 of 10 fits:');
  printTable(
    ['', 'was', 'factor', 'between', 'times measured'],
    corrections.map(({ term, before, factor, interval: [p10, p90], samples }) => [
      term,
      before,
      factor.toFixed(2),
      `${p10.toFixed(2)} – ${p90.toFixed(2)}`,
      String(samples),
    ]),
    [2, 3, 4],
  );
  printLine();
  printLine(`Before is by ${before}, as it is now; what was predicted when a run was made is in meshwright compare.`);
  printLine();
  printOutcomes('Fitted:', fitted);
  printOutcomes(CHECKED[check], checked);
  if (uncertainty !== undefined)
    printLine(
      `8 of 10 runs of plans like these are expected between ${formatPercent(uncertainty.p10 - 1)} and +${formatPercent(uncertainty.p90 - 1)} of a prediction; plans that hang on other things have intervals of their own`,
    );
  printLine(reason);
}

const refused = ({ reason }: Recalibration): MeshwrightError =>
  new MeshwrightError('FIT_REFUSED', {
    place: 'the check of the fit',
    expected: 'better predictions of runs that were not fitted, and no worse ones of any plan',
    got: reason,
    hint: 'nothing was written; measure more plans, the same ones longer, or choose runs with --runs',
  });

/** Where the new version went. */
interface Written {
  readonly output: string;
  readonly version: number | null;
}

function keep(flags: CalibrateFlags, measurements: Measurements, result: Recalibration): Written {
  if (flags.output === undefined) {
    const { path, version } = keepVersion(measurements, result);
    return { output: path, version };
  }
  createRunFolder(flags.output, '--output');
  const output = saveProfile(result.documents, flags.output);
  writeDocument(flags.output, 'report.json', reportOf(result));
  return { output, version: null };
}

const reportOf = ({ corrections, fitted, check, checked, ...rest }: Recalibration) => ({
  schema: 'meshwright/calibration@3',
  accepted: rest.accepted,
  reason: rest.reason,
  factorBefore: rest.factorBefore,
  factorAfter: rest.factorAfter,
  uncertainty: rest.uncertainty ?? null,
  corrections,
  fitted,
  check,
  checked,
});

/** What of files was of no use, the most frequent first. */
const MOST_LEFT_OUT = 10;

function printLeftOut(leftOut: Measurements['leftOut']): void {
  if (leftOut.length === 0) return;
  printLine('Left out of files, since it says nothing of the profile:');
  for (const { file, what, why, count } of leftOut.slice(0, MOST_LEFT_OUT))
    printLine(`  ${file}: ${what}${count === 1 ? '' : ` (${count} times)`}: ${why}`);
  if (leftOut.length > MOST_LEFT_OUT) printLine(`  and ${leftOut.length - MOST_LEFT_OUT} others`);
  printLine();
}

/**
 * `meshwright calibrate`: corrects a profile by what runs measured, checks it on plans that were kept back, and says what
 * moved.
 */
export function calibrate(flags: CalibrateFlags): void {
  if (flags.output !== undefined) requireFree(flags.output, '--output');
  const { runs, check = [], hardware } = flags;
  if (runs === undefined && check.length > 0)
    throw new MeshwrightError('USAGE', { place: '--check', expected: '--runs beside it, to fit to', got: 'none' });
  const measurements =
    runs === undefined ? keptMeasurements(hardware ?? 'local') : readMeasurements({ runs, check }, hardware);
  const result = fitTo(measurements);
  const before = hardwareText(nameOf(measurements), hardwareVersion(measurements.profile));
  if (!result.accepted) {
    if (!flags.json) printReport(result, before);
    throw refused(result);
  }
  const written = keep(flags, measurements, result);
  if (flags.json) {
    printJson({ ...reportOf(result), ...written, leftOut: measurements.leftOut });
    return;
  }
  printLeftOut(measurements.leftOut);
  printReport(result, before);
  printLine(
    written.version === null
      ? `\nThe calibrated profile is ${written.output}: use it with --hardware`
      : `\nVersion ${written.version} of ${result.documents.hardware.name} is what its name means from now on; older ones are kept (${written.output})`,
  );
}
