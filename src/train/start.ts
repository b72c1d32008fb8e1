/** Where a session begins: before the first step of a run, or after those that a checkpoint has behind it. */
import { randomBytes } from 'node:crypto';
import type { Job } from '../job/index.js';
import type { DevicePool } from '../runtime/index.js';
import type { StateTensor } from './checkpoint/index.js';
import { Checkpoint, isInRun } from './checkpoint/index.js';
import type { TrainingData } from './source.js';

export interface Start {
  /** Steps, and batches, before it. */
  readonly step: number;
  /** Of these the steps whose update was left out. */
  readonly skippedUpdates: number;
  /** The id that the run's checkpoints carry: the same one as long as it goes on in its own folder. */
  readonly run: string;
}

/** How many steps a whole run has. */
export const stepsOf = ({ training }: Job, { batchesPerEpoch }: TrainingData): number =>
  training.steps ?? Math.max(1, Math.round(training.epochs * batchesPerEpoch));

export const beginning = (): Start => ({ step: 0, skippedUpdates: 0, run: randomBytes(8).toString('hex') });

/** Gives the ranks what is in a checkpoint that is known to fit. @throws MeshwrightError CHECKPOINT_INVALID */
export async function restoreFrom(path: string, pool: DevicePool, state: readonly StateTensor[]): Promise<void> {
  const checkpoint = new Checkpoint(path);
  try {
    await checkpoint.restore(pool, state);
  } finally {
    checkpoint.close();
  }
}

/**
 * As `restoreFrom`, for a run to go on from.
 *
 * @param runFolder that the run goes on in, if any
 * @throws MeshwrightError CHECKPOINT_INVALID, and JOB_INVALID of a job that can't go on from it
 */
export async function startFrom(
  path: string,
  runFolder: string | undefined,
  job: Job,
  data: TrainingData,
  pool: DevicePool,
  state: readonly StateTensor[],
): Promise<Start> {
  const checkpoint = new Checkpoint(path);
  try {
    checkpoint.requireFits(job, data, stepsOf(job, data));
    await checkpoint.restore(pool, state);
    const { step, optimizer, run } = checkpoint.metadata;
    const isOwn = runFolder !== undefined && isInRun(path, runFolder);
    return { ...beginning(), step, skippedUpdates: step - optimizer.appliedSteps, ...(isOwn ? { run } : {}) };
  } finally {
    checkpoint.close();
  }
}
