import { readFileSync } from 'node:fs';
import { formatPlan, isPipeline, spaceOfInput } from '../../job/index.js';
import type { Space } from '../../job/index.js';
import { packageVersion } from '../../package-root.js';
import { describePlan } from '../../planner/index.js';
import type { ReportDocument, Search, SearchedPlan, Subject } from '../../report/index.js';
import { reportPage } from '../../report/index.js';
import { bytes, formatBytes } from '../../units.js';
import type { Interrupted } from '../interrupt.js';
import { untilInterrupted } from '../interrupt.js';
import { printJson, printLine } from '../output.js';
import type { FoundPlan } from '../plan-report.js';
import { searchPlans } from '../plan-search.js';
import { readPlans } from '../plans-file.js';
import type { FoundJob } from '../report-subject.js';
import { distinctNames, isRunFolder, subjectOf } from '../report-subject.js';
import { requireNew, writeNew } from '../run-folder.js';

export interface ReportFlags {
  readonly output: string;
  readonly search?: boolean;
  readonly json?: boolean;
}

/** What `plan --json` printed into this file, if that is what it is. */
function plansIn(path: string): Search | undefined {
  if (isRunFolder(path)) return undefined;
  let document: unknown;
  try {
    document = JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    // YAML, or nothing that can be read: then what reads job files says so.
    return undefined;
  }
  return readPlans(document, path);
}

const searchedPlan = ({ job, figures }: FoundPlan): SearchedPlan => ({
  plan: formatPlan(job.plan),
  chips: job.chips,
  stepTimeSeconds: figures.stepTimeSeconds,
  peakMemoryBytesPerChip: figures.peakMemoryBytesPerChip,
  mfu: figures.mfu,
});

const BEST = 10;

/**
 * All plans that a job's model, hardware, chips and batch could have, within what its block `search:` says: the usual ones,
 * or every one where the plan is a pipeline, which the usual leave out.
 */
async function searchFor(
  { job, input }: FoundJob,
  title: string,
): Promise<{ search: Search; interrupted: Interrupted | undefined }> {
  const space: Space = {
    ...spaceOfInput(input.search ?? {}),
    breadth: isPipeline(job.plan) ? 'full' : 'usual',
  };
  const { result, interrupted } = await untilInterrupted(
    'drawing the plans so far',
    (signal) => searchPlans(job, space, { top: BEST, signal }),
    () => undefined,
  );
  const { best, front, counts, isComplete } = result;
  const [first] = best;
  const words = first === undefined ? {} : { words: describePlan(first.job, first.figures) };
  return {
    search: { title, best: best.map(searchedPlan), front: front.map(searchedPlan), counts, isComplete, ...words },
    interrupted,
  };
}

/** `meshwright report RUN|JOB…`: one page with everything that is known of them. */
export async function report(paths: readonly string[], flags: ReportFlags): Promise<void> {
  requireNew(flags.output);
  const searches = new Map(
    paths.flatMap((path) => {
      const found = plansIn(path);
      return found === undefined ? [] : [[path, found] as const];
    }),
  );
  const jobs = paths.filter((path) => !searches.has(path));
  const names = distinctNames(jobs);
  const subjects: Subject[] = [];
  let interrupted: Interrupted | undefined;
  for (const [index, path] of jobs.entries()) {
    const { subject, ...found } = subjectOf(path, names[index]!);
    if (flags.search !== true) subjects.push(subject);
    else {
      const searched = await searchFor(found, subject.title);
      subjects.push({ ...subject, search: searched.search });
      interrupted = searched.interrupted;
      if (interrupted !== undefined) break;
    }
  }
  const document: ReportDocument = { version: packageVersion(), subjects, searches: [...searches.values()] };
  const page = reportPage(document);
  writeNew(flags.output, page);
  const size = Buffer.byteLength(page);
  if (flags.json) printJson(summaryOf(document, flags.output, size));
  else printLine(`${flags.output}: ${formatBytes(bytes(size))}; opens in any browser, also without a network`);
  if (interrupted !== undefined) throw interrupted;
}

/** What the page says first, for programs; `simulate --json` and `compare --json` have the rest. */
const summaryOf = ({ subjects, searches }: ReportDocument, file: string, size: number) => ({
  schema: 'meshwright/report@1',
  file,
  bytes: size,
  jobs: subjects.map(({ source, title, step, run, search }) => ({
    source,
    title,
    plan: step.plan,
    stepTimeSeconds: step.stepTimeSeconds,
    stepTimeInterval: step.stepTimeInterval,
    mfu: step.mfu,
    mfuInterval: step.mfuInterval,
    fits: step.fits,
    boundSeconds: step.bounds.seconds,
    measured: run?.plans[0]?.measured ?? null,
    front: search?.front ?? null,
  })),
  searches: searches.map(({ title, front }) => ({ title, front })),
});
