import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { MeshwrightError } from '../../errors.js';
import { formatPlan, readJob } from '../../job/index.js';
import type { TimedSpan } from '../../trace/index.js';
import { seconds } from '../../units.js';
import { Assessor, stackOf } from '../assess.js';
import { comparePlan, readComparison } from '../comparison.js';
import { formatError, printComparison } from '../comparison-view.js';
import type { Trial } from '../trial.js';
import { predictedStepSeconds } from '../trial.js';
import { calibrateOn, predictAgain, saveProfile } from '../experiment.js';
import { printJson, printLine, printTable } from '../output.js';
import { createRunFolder } from '../run-folder.js';

export interface CalibrateFlags {
  readonly runs: readonly string[];
  readonly output: string;
  readonly json?: boolean;
}

/** A run as it was measured, predicted by the profile its job names. */
function readTrial(folder: string): Trial {
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
  return { predicted: assessor.assessAny(job), spans, stepSeconds: document.stepSeconds };
}

/** `meshwright calibrate --runs DIR…`: corrects the profile by what runs measured, and says what moved. */
export function calibrate(flags: CalibrateFlags): void {
  const trials = flags.runs.map(readTrial);
  const [first] = trials as [Trial, ...Trial[]];
  const others = new Set(trials.map(({ predicted }) => predicted.job.hardwareName));
  const profileText = (trial: Trial) =>
    JSON.stringify([trial.predicted.job.hardware.document, stackOf(trial.predicted.job).document]);
  if (trials.some((trial) => profileText(trial) !== profileText(first))) {
    throw new MeshwrightError('RUN_INVALID', {
      place: '--runs',
      expected: 'runs that were predicted by one profile',
      got: [...others].join(', '),
    });
  }
  const { profile, hardware, stack } = calibrateOn(first.predicted.job, trials);
  // Each run by the others alone, where there are others; a fit looks good on what it was fitted to.
  const rows = trials.map((trial) => {
    const rest = trials.filter((other) => other !== trial);
    return comparePlan(trial, rest.length === 0 ? undefined : predictAgain(trial.predicted.job, rest));
  });
  const fitted = trials.map(({ predicted: { job } }) =>
    predictedStepSeconds(new Assessor().assessAny({ ...job, hardware }, stack)),
  );
  createRunFolder(flags.output, '--output');
  saveProfile(profile, flags.output);
  if (flags.json) {
    printJson({
      schema: 'meshwright/calibration@1',
      output: flags.output,
      corrections: profile.corrections,
      runs: rows.map((row, index) => ({ runFolder: flags.runs[index], ...row, fittedStepTimeSeconds: fitted[index] })),
    });
    return;
  }
  printLine('What moved, new time over old for the same work:');
  printTable(
    ['', 'factor'],
    profile.corrections.map(({ what, factor }) => [what, factor === null ? 'from zero' : factor.toFixed(2)]),
    [1],
  );
  printLine();
  printComparison(rows);
  printLine();
  rows.forEach(({ measured }, index) => {
    const error = formatError(fitted[index]!, measured.stepTimeSeconds);
    printLine(`${formatPlan(trials[index]!.predicted.job.plan)}: ${error} left after the fit on all runs`);
  });
  printLine(`\nThe calibrated profile is ${join(flags.output, 'profile.yaml')}: use it with --hardware`);
}
