/** Job files and flags: reading, merging and writing. */
import { dirname, isAbsolute, join, relative } from 'node:path';
import { stringify } from 'yaml';
import { readUtf8 } from '../encoding.js';
import { MeshwrightError } from '../errors.js';
import { reasonOf } from '../reason.js';
import { isPathOfFile } from '../hardware/index.js';
import { parseSource } from '../source.js';
import type { Job } from './job.js';
import { mergePlans, toPlanInput } from './plan.js';
import { jobSchema } from './schema.js';
import type { JobInput } from './schema.js';

/** @throws MeshwrightError JOB_INVALID or FIELD_UNKNOWN with file and line */
export function parseJob(text: string, file: string): JobInput {
  return parseSource(text, file, jobSchema, 'JOB_INVALID').value;
}

/** The fields of `training` that name what lies somewhere. */
const TRAINING_PATHS = ['images', 'text'] as const;

function mapPaths(training: JobInput['training'], change: (path: string) => string): Pick<JobInput, 'training'> {
  if (training === undefined) return {};
  const changed = TRAINING_PATHS.flatMap((field) => {
    const path = training[field];
    return path === undefined ? [] : [[field, change(path)] as const];
  });
  return { training: { ...training, ...Object.fromEntries(changed) } };
}

/**
 * A hardware profile, image folder or text named `./…` or `../…` lies relative to the job file.
 *
 * @throws MeshwrightError JOB_INVALID when the file can't be read, and as `parseJob`
 */
export function readJob(path: string): JobInput {
  try {
    const input = parseJob(readUtf8(path), path);
    const beside = (text: string) => (/^\.\.?\//.test(text) ? join(dirname(path), text) : text);
    const hardware = input.hardware === undefined ? {} : { hardware: beside(input.hardware) };
    return { ...input, ...hardware, ...mapPaths(input.training, beside) };
  } catch (error) {
    if (error instanceof MeshwrightError) throw error;
    throw new MeshwrightError('JOB_INVALID', {
      place: path,
      expected: 'a readable job file',
      got: reasonOf(error),
    });
  }
}

/** `over` wins, section by section and field by field. */
export function mergeJobs(base: JobInput, over: JobInput): JobInput {
  const merged: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(over)) {
    if (value === undefined) continue;
    const before = merged[key];
    const both = typeof before === 'object' && typeof value === 'object' && !Array.isArray(value);
    merged[key] = both ? { ...before, ...value } : value;
  }
  if (base.plan && over.plan) merged['plan'] = mergePlans(base.plan, over.plan);
  return merged as JobInput;
}

/** The job as input that gives it again, every default spelled out. */
export function jobToInput(job: Job): JobInput {
  const { plan, precision, optimizer, training } = job;
  const { learningRate, warmupSteps, cooldownSteps, ...rest } = training;
  const { kind, ...numbers } = optimizer;
  return {
    schema: 'meshwright/job@1',
    model: job.modelInput,
    hardware: job.hardwareName,
    chips: job.chips,
    batch: job.batch,
    plan: toPlanInput({ ...plan, ...precision, optimizerState: precision.optimizer }),
    optimizer: { kind, learningRate, warmupSteps, cooldownSteps, ...numbers },
    training: rest,
  };
}

/** How a job file in `folder` names what lies at `path`, so that it is found from wherever the file is read. */
function pathFrom(folder: string, path: string): string {
  if (isAbsolute(path)) return path;
  const from = relative(folder, path);
  return from.startsWith('..') ? from : `./${from}`;
}

/** The text of a job file in `folder`, the working directory unless given. */
export function formatJob(job: Job, folder = '.'): string {
  const input = jobToInput(job);
  const hardware = isPathOfFile(job.hardwareName) ? pathFrom(folder, job.hardwareName) : job.hardwareName;
  return stringify({ ...input, hardware, ...mapPaths(input.training, (path) => pathFrom(folder, path)) });
}
