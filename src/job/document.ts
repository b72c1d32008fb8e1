/** Job files and flags: reading, merging and writing. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { stringify } from 'yaml';
import { MeshwrightError } from '../errors.js';
import { AXIS_NAMES, axisSize } from '../mesh/index.js';
import type { AxisName } from '../mesh/index.js';
import { parseSource } from '../source.js';
import { nearest } from '../text.js';
import type { Job } from './job.js';
import { jobSchema } from './schema.js';
import type { JobInput } from './schema.js';

/** @throws MeshwrightError JOB_INVALID or FIELD_UNKNOWN with file and line */
export function parseJob(text: string, file: string): JobInput {
  return parseSource(text, file, jobSchema, 'JOB_INVALID').value;
}

/**
 * A hardware profile named `./…` or `../…` lies relative to the job file.
 *
 * @throws MeshwrightError JOB_INVALID when the file can't be read, and as `parseJob`
 */
export function readJob(path: string): JobInput {
  try {
    const input = parseJob(readFileSync(path, 'utf8'), path);
    if (!/^\.\.?\//.test(input.hardware ?? '')) return input;
    return { ...input, hardware: join(dirname(path), input.hardware!) };
  } catch (error) {
    if (error instanceof MeshwrightError) throw error;
    throw new MeshwrightError('JOB_INVALID', {
      place: path,
      expected: 'a readable job file',
      got: (error as Error).message,
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
  return merged as JobInput;
}

/**
 * `data=64,model=16`
 *
 * @throws MeshwrightError JOB_INVALID or FIELD_UNKNOWN naming the flag
 */
export function parseMesh(text: string, place: string): Partial<Record<AxisName, number>> {
  const mesh: Partial<Record<AxisName, number>> = {};
  for (const part of text.split(',')) {
    const [name = '', size = ''] = part.split('=').map((piece) => piece.trim());
    if (!(AXIS_NAMES as readonly string[]).includes(name)) {
      throw new MeshwrightError('FIELD_UNKNOWN', {
        place,
        expected: `axes ${AXIS_NAMES.join(', ')} as in data=4,model=2`,
        got: JSON.stringify(part),
        hint: `did you mean ${nearest(name, AXIS_NAMES)}?`,
      });
    }
    if (!/^[1-9]\d*$/.test(size)) {
      throw new MeshwrightError('JOB_INVALID', {
        place,
        expected: `a whole number of at least 1 for ${name}`,
        got: JSON.stringify(size),
      });
    }
    mesh[name as AxisName] = Number(size);
  }
  return mesh;
}

/** The job as input that gives it again, every default spelled out. */
export function jobToInput(job: Job): JobInput {
  const { plan, optimizer, training } = job;
  const { learningRate, warmupSteps, cooldownSteps, ...rest } = training;
  const { kind, ...numbers } = optimizer;
  return {
    schema: 'meshwright/job@1',
    model: job.modelInput,
    hardware: job.hardwareName,
    chips: job.chips,
    batch: job.batch,
    plan: {
      mesh: Object.fromEntries(AXIS_NAMES.map((axis) => [axis, axisSize(plan.mesh, axis)])),
      microbatches: plan.microbatches,
      ...(plan.slice ? { slice: [...plan.slice] } : {}),
    },
    precision: job.precision,
    optimizer: { kind, learningRate, warmupSteps, cooldownSteps, ...numbers },
    training: rest,
  };
}

/** The text of a job file. */
export const formatJob = (job: Job): string => stringify(jobToInput(job));
