import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Outcome, ProfileDocuments, Recalibration, Subject } from '../../calibrate/index.js';
import { fingerprintHere, recalibrate, splitSubjects } from '../../calibrate/index.js';
import { MeshwrightError } from '../../errors.js';
import { formatProfile } from '../../hardware/index.js';
import type { Job } from '../../job/index.js';
import { readJob } from '../../job/index.js';
import type { TimedSpan } from '../../trace/index.js';
import { formatPercent, formatSeconds, seconds } from '../../units.js';
import { writeDocument } from '../../whole-file.js';
import { Assessor, stackOf } from '../assess.js';
import { readComparison } from '../comparison.js';
import { formatError } from '../comparison-view.js';
import { saveProfile } from '../experiment.js';
import { printJson, printLine, printTable } from '../output.js';
import { today } from '../profiling.js';
import { createRunFolder, requireFree } from '../run-folder.js';
import { hardwareVersion, openStore } from '../stored-hardware.js';
import { documentsOf, subjectOfTrial } from '../subjects.js';

export interface CalibrateFlags {
  readonly runs: readonly string[];
  /** Runs that the fit is checked on; of `runs`, one plan in three unless given. */
  readonly check?: readonly string[];
  readonly output?: string;
  readonly json?: boolean;
}

interface MeasuredRun {
  readonly job: Job;
  readonly subject: Subject;
}

/** A run as it was measured. @throws MeshwrightError RUN_INVALID */
function readRun(folder: string): MeasuredRun {
  const jobFile = join(folder, 'job.yaml');
  if (!existsSync(jobFile)) {
    throw new MeshwrightError('RUN_INVALID', {
      place: folder,
      expected: 'a run folder with job.yaml',
      got: 'none there',
    });
  }
  const document = readComparison(folder);
  const assessor = new Assessor();
  const job = assessor.resolve(readJob(jobFile));
  const spans = document.spans.map((span): TimedSpan => ({
    ...span,
    seconds: seconds(span.measuredSeconds),
    exposedSeconds: seconds(span.measuredExposedSeconds),
  }));
  const predicted = assessor.assessAny(job);
  return { job, subject: subjectOfTrial({ predicted, spans, stepSeconds: document.stepSeconds }) };
}

const documentsOfJob = (job: Job): ProfileDocuments => documentsOf(job.hardware, stackOf(job));

/** @throws MeshwrightError RUN_INVALID of runs of several profiles */
function requireOneProfile(runs: readonly MeasuredRun[]): void {
  const text = ({ job }: MeasuredRun): string => JSON.stringify(documentsOfJob(job));
  if (runs.every((run) => text(run) === text(runs[0]!))) return;
  throw new MeshwrightError('RUN_INVALID', {
    place: '--runs',
    expected: 'runs that were predicted by one profile',
    got: [...new Set(runs.map(({ job }) => job.hardwareName))].join(', '),
  });
}

const time = (value: number): string => formatSeconds(seconds(value));

function printOutcomes(title: string, outcomes: readonly Outcome[]): void {
  if (outcomes.length === 0) return;
  printLine(title);
  printTable(
    ['plan', 'measured', 'before', 'error', 'after', 'error'],
    outcomes.map(({ title: plan, measuredSeconds: measured, beforeSeconds: before, afterSeconds: after }) => [
      plan,
      time(measured),
      time(before),
      formatError(before, measured),
      time(after),
      formatError(after, measured),
    ]),
    [1, 2, 3, 4, 5],
  );
  printLine();
}

function printReport({ corrections, fitted, checked, uncertainty, reason }: Recalibration): void {
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
  printOutcomes('Fitted:', fitted);
  printOutcomes('Checked, none of them fitted:', checked);
  if (uncertainty !== undefined)
    printLine(
      `8 of 10 runs are expected between ${formatPercent(uncertainty.p10 - 1)} and +${formatPercent(uncertainty.p90 - 1)} of a prediction`,
    );
  printLine(reason);
}

const refused = ({ reason, checked }: Recalibration): MeshwrightError => {
  const worse = checked.filter(
    ({ measuredSeconds: measured, beforeSeconds: before, afterSeconds: after }) =>
      Math.abs(Math.log(after / measured)) > Math.abs(Math.log(before / measured)),
  );
  const of = ({ title, measuredSeconds: measured, beforeSeconds: before, afterSeconds: after }: Outcome): string =>
    `${title} (${formatError(before, measured)} to ${formatError(after, measured)})`;
  return new MeshwrightError('FIT_REFUSED', {
    place: 'the check of the fit',
    expected: 'predictions of runs that were not fitted to get no worse',
    got: `${reason}; worse: ${worse.map(of).join(', ')}`,
    hint: 'nothing was written; measure more plans, or the same ones longer',
  });
};

/** Where the new version went. */
interface Written {
  readonly output: string;
  readonly version: number | null;
}

function keep(flags: CalibrateFlags, { job }: MeasuredRun, result: Recalibration): Written {
  const { documents, reason } = result;
  if (flags.output !== undefined) {
    createRunFolder(flags.output, '--output');
    const output = saveProfile(documents, flags.output);
    writeDocument(flags.output, 'report.json', reportOf(result));
    return { output, version: null };
  }
  const { hardware } = documents;
  const before = hardwareVersion(job);
  const isHere = hardware.topology.kind === 'shared-memory';
  const { path, version } = openStore().addVersion({
    name: before?.name ?? hardware.name,
    from: before?.version ?? null,
    made: new Date().toISOString(),
    by: 'calibrate',
    accepted: true,
    reason,
    machine: isHere ? fingerprintHere(job.training.family) : null,
    profile: formatProfile({ ...hardware, defaultStack: './stack.yaml' }),
    stack: formatProfile(documents.stack),
  });
  return { output: path, version };
}

const reportOf = ({ corrections, fitted, checked, ...rest }: Recalibration) => ({
  schema: 'meshwright/calibration@2',
  accepted: rest.accepted,
  reason: rest.reason,
  errorBefore: Math.expm1(rest.errorBefore),
  errorAfter: Math.expm1(rest.errorAfter),
  uncertainty: rest.uncertainty ?? null,
  corrections,
  fitted,
  checked,
});

/**
 * `meshwright calibrate --runs DIR…`: corrects a profile by what runs measured, checks it on plans that were kept back, and
 * says what moved.
 */
export function calibrate(flags: CalibrateFlags): void {
  if (flags.output !== undefined) requireFree(flags.output, '--output');
  const toCheck = (flags.check ?? []).map(readRun);
  const runs = [...flags.runs.map(readRun), ...toCheck];
  const [first] = runs as [MeasuredRun, ...MeasuredRun[]];
  requireOneProfile(runs);
  const subjects = runs.map(({ subject }) => subject);
  const kept = new Set(toCheck.map(({ subject }) => subject.group));
  const chosen = subjects.map(({ group }) => group).filter((group) => !kept.has(group));
  const sides = splitSubjects(subjects, flags.check === undefined ? undefined : chosen);
  const source = `calibrated on ${sides.fit.map(({ title }) => title).join('; ')}, ${today()}`;
  const result = recalibrate(documentsOfJob(first.job), sides, { source });
  if (!result.accepted) {
    if (!flags.json) printReport(result);
    throw refused(result);
  }
  const written = keep(flags, first, result);
  if (flags.json) {
    printJson({ ...reportOf(result), ...written });
    return;
  }
  printReport(result);
  printLine(
    written.version === null
      ? `\nThe calibrated profile is ${written.output}: use it with --hardware`
      : `\nVersion ${written.version} of ${result.documents.hardware.name} is what its name means from now on; older ones are kept (${written.output})`,
  );
}
