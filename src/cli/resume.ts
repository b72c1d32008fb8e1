/** `train --resume`: which checkpoint a run goes on from, and in which folder. */
import { existsSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { MeshwrightError } from '../errors.js';
import type { Job } from '../job/index.js';
import type { TrainingData } from '../train/index.js';
import { Checkpoint, listCheckpoints, runFolderOf, stepsOf } from '../train/index.js';

export interface Resumption {
  readonly checkpoint: string;
  /** That the checkpoint lies in, if any. */
  readonly runFolder?: string;
  /** Whether the run has none beyond it. */
  readonly isNewest: boolean;
}

const isFolder = (path: string): boolean => statSync(path).isDirectory();

/**
 * @param path a run folder, whose newest checkpoint is meant, or a checkpoint
 * @throws MeshwrightError RUN_INVALID where there is none
 */
export function findCheckpoint(path: string): Resumption {
  if (!existsSync(path)) {
    const expected = 'a run folder, or one of its checkpoints';
    throw new MeshwrightError('RUN_INVALID', { place: `--resume ${path}`, expected, got: 'nothing there' });
  }
  if (!isFolder(path)) {
    const runFolder = runFolderOf(path);
    if (runFolder === undefined) return { checkpoint: path, isNewest: false };
    const newest = listCheckpoints(runFolder).at(-1);
    return { checkpoint: path, runFolder, isNewest: newest !== undefined && resolve(newest.path) === resolve(path) };
  }
  const newest = listCheckpoints(path).at(-1);
  if (newest !== undefined) return { checkpoint: newest.path, runFolder: path, isNewest: true };
  const job = join(path, 'job.yaml');
  throw new MeshwrightError('RUN_INVALID', {
    place: `--resume ${path}`,
    expected: 'a run folder with checkpoints/step-….safetensors',
    got: 'none',
    ...(existsSync(job) ? { hint: `the run ended before it wrote one: meshwright train ${job} starts it again` } : {}),
  });
}

/** The job of the run that a checkpoint is of. @throws MeshwrightError RUN_INVALID where it lies in none */
export function jobFileOf({ checkpoint, runFolder }: Resumption): string {
  const path = runFolder === undefined ? undefined : join(runFolder, 'job.yaml');
  if (path !== undefined && existsSync(path)) return path;
  throw new MeshwrightError('RUN_INVALID', {
    place: runFolder ?? checkpoint,
    expected: 'a run folder with job.yaml around the checkpoint',
    got: 'none',
    hint: `give a job file: meshwright train job.yaml --resume ${checkpoint}`,
  });
}

/**
 * The steps that a checkpoint has behind it, once it is known that the job can go on from it.
 *
 * @throws MeshwrightError as `openCheckpoint` and `Checkpoint.requireFits`
 */
export function stepToGoOnFrom(resumed: Resumption, job: Job, data: TrainingData): number {
  const checkpoint = openCheckpoint(resumed);
  try {
    checkpoint.requireFits(job, data, stepsOf(job, data));
    return checkpoint.metadata.step;
  } finally {
    checkpoint.close();
  }
}

/**
 * The checkpoint, each byte of it read.
 *
 * @throws MeshwrightError CHECKPOINT_INVALID, with another one of the run that is whole where it is damaged
 */
function openCheckpoint({ checkpoint: path, runFolder }: Resumption): Checkpoint {
  try {
    return whole(path);
  } catch (error) {
    if (!(error instanceof MeshwrightError) || runFolder === undefined) throw error;
    const other = listCheckpoints(runFolder).findLast(
      (one) => resolve(one.path) !== resolve(path) && isWhole(one.path),
    );
    if (other === undefined) throw error;
    const { hint, ...detail } = error.detail;
    const instead = `--resume ${other.path} goes on from one that is whole`;
    throw new MeshwrightError(error.code, { ...detail, hint: hint === undefined ? instead : `${hint}; ${instead}` });
  }
}

function whole(path: string): Checkpoint {
  const checkpoint = new Checkpoint(path);
  try {
    checkpoint.verify();
    return checkpoint;
  } catch (error) {
    checkpoint.close();
    throw error;
  }
}

function isWhole(path: string): boolean {
  try {
    whole(path).close();
    return true;
  } catch {
    return false;
  }
}
