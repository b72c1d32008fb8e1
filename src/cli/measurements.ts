/** What a profile is calibrated on: run folders, files of other tools, or the runs that its store has kept. */
import { existsSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { LeftOut, Subject } from '../calibrate/index.js';
import { importMeasurements, keptRuns, machineHere, runFolderOf } from '../calibrate/index.js';
import { MeshwrightError } from '../errors.js';
import type { Hardware, Stack } from '../hardware/index.js';
import { loadHardware } from '../hardware/index.js';
import type { Job } from '../job/index.js';
import { readJob } from '../job/index.js';
import type { FamilyName } from '../runtime/index.js';
import { DEFAULT_FAMILY } from '../runtime/index.js';
import type { TimedSpan } from '../trace/index.js';
import { seconds } from '../units.js';
import { Assessor, stackOf } from './assess.js';
import { readComparison } from './comparison.js';
import { openStore, passOver, storedHardware, versionOf } from './stored-hardware.js';
import { subjectOfEvidence, subjectOfTrial } from './subjects.js';

/** The profile that is calibrated. */
export interface CalibratedProfile {
  readonly hardwareName: string;
  readonly hardware: Hardware;
  readonly stack: Stack;
  /** Of the runs that it is calibrated on. */
  readonly family: FamilyName;
}

export interface Measurements {
  readonly profile: CalibratedProfile;
  readonly subjects: readonly Subject[];
  /** Of them, what the fit is to be checked on; absent where that is not said. */
  readonly toCheck?: readonly Subject[];
  /** Whether all are of other tools. */
  readonly isImported: boolean;
  /** What of files says nothing of the profile. */
  readonly leftOut: readonly (LeftOut & { readonly file: string })[];
}

interface MeasuredRun {
  readonly job: Job;
  readonly subject: Subject;
}

/** A run as it was measured. @param hardwareName to predict it by, instead of its own @throws MeshwrightError RUN_INVALID */
function readRun(folder: string, hardwareName: string | undefined): MeasuredRun {
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
  const input = readJob(jobFile);
  const job = assessor.resolve(hardwareName === undefined ? input : { ...input, hardware: hardwareName });
  const spans = document.spans.map((span): TimedSpan => ({
    ...span,
    seconds: seconds(span.measuredSeconds),
    exposedSeconds: seconds(span.measuredExposedSeconds),
  }));
  const predicted = assessor.assessAny(job);
  const subject = subjectOfTrial({ predicted, spans, stepSeconds: document.stepSeconds });
  return { job, subject: { ...subject, from: resolve(folder) } };
}

const profileText = ({ hardware, hardwareName }: Pick<Job, 'hardware' | 'hardwareName'>): string =>
  JSON.stringify([hardware.document, stackOf({ hardware, hardwareName }).document]);

/** @throws MeshwrightError RUN_INVALID of runs of several profiles */
function requireOneProfile(runs: readonly MeasuredRun[]): void {
  if (runs.every(({ job }) => profileText(job) === profileText(runs[0]!.job))) return;
  throw new MeshwrightError('RUN_INVALID', {
    place: '--runs',
    expected: 'runs that were predicted by one profile',
    got: [...new Set(runs.map(({ job }) => job.hardwareName))].join(', '),
    hint: 'or --hardware, which says what profile is calibrated on them all',
  });
}

function profileAt(hardwareName: string, family: FamilyName): CalibratedProfile {
  const hardware = loadHardware(hardwareName);
  return { hardwareName, hardware, stack: stackOf({ hardware, hardwareName }), family };
}

/** A run is a folder; what is a file, or not there, is told by whoever reads it. */
const isFile = (path: string): boolean => existsSync(path) && statSync(path).isFile();

interface Sources {
  readonly runs: readonly string[];
  readonly check: readonly string[];
}

/** What the profile is: as it is said, or that of the runs. */
function profileFor(hardware: string | undefined, runs: readonly MeasuredRun[]): CalibratedProfile {
  const job = runs[0]?.job;
  if (hardware !== undefined) return profileAt(storedHardware(hardware), job?.training.family ?? DEFAULT_FAMILY);
  if (job !== undefined) return profileAt(job.hardwareName, job.training.family);
  throw new MeshwrightError('USAGE', {
    place: '--hardware',
    expected: 'the profile that measurements of other tools are about',
    got: 'none',
    hint: 'as in --hardware a100-80gb-sxm; it is left as it is, and a version of it added',
  });
}

/**
 * @param hardware the name or path of the profile, needed where no run folder says it
 * @throws MeshwrightError USAGE, RUN_INVALID, and as profiles are read
 */
export function readMeasurements({ runs, check }: Sources, hardware: string | undefined): Measurements {
  const byName = hardware === undefined ? undefined : storedHardware(hardware);
  const paths = [...runs, ...check];
  const folders = new Map(paths.filter((path) => !isFile(path)).map((path) => [path, readRun(path, byName)]));
  requireOneProfile([...folders.values()]);
  const profile = profileFor(hardware, [...folders.values()]);
  const leftOut: (LeftOut & { readonly file: string })[] = [];
  const subjectsAt = (path: string): Subject[] => {
    const run = folders.get(path);
    if (run !== undefined) return [run.subject];
    const found = importMeasurements(path, { hardware: profile.hardware.name, stack: profile.stack.name });
    leftOut.push(...found.leftOut.map((one) => ({ ...one, file: path })));
    return found.evidence.map((evidence) => ({
      ...subjectOfEvidence(evidence, profile.hardwareName),
      from: resolve(path),
    }));
  };
  const toCheck = check.flatMap(subjectsAt);
  return {
    profile,
    subjects: [...runs.flatMap(subjectsAt), ...toCheck],
    ...(check.length === 0 ? {} : { toCheck }),
    isImported: folders.size === 0,
    leftOut,
  };
}

/**
 * The runs that were kept of a profile, on this machine.
 *
 * @throws MeshwrightError RUN_INVALID where there are none
 */
export function keptMeasurements(hardware: string): Measurements {
  const hardwareName = storedHardware(hardware);
  const name = versionOf({ hardwareName })?.name ?? loadHardware(hardwareName).name;
  const store = openStore();
  const kept = keptRuns(store, name, machineHere(), passOver);
  const profile = profileAt(hardwareName, kept.at(-1)?.machine.family ?? DEFAULT_FAMILY);
  const subjects = kept.flatMap((run) => {
    const from = runFolderOf(run);
    try {
      return [{ ...subjectOfEvidence(run.evidence, hardwareName), ...(from === undefined ? {} : { from }) }];
    } catch (error) {
      // Of a program that is lowered otherwise by now.
      if (!(error instanceof MeshwrightError)) throw error;
      passOver(error);
      return [];
    }
  });
  if (subjects.length > 0) return { profile, subjects, isImported: false, leftOut: [] };
  throw new MeshwrightError('RUN_INVALID', {
    place: `evidence of ${name}`,
    expected: 'runs on this machine',
    got: 'none',
    hint: 'meshwright train adds each run; or name runs with --runs',
  });
}
