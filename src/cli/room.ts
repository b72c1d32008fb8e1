/** Whether a run's folder can hold what the run will write, as far as that is known before it begins. */
import { accessSync, constants, existsSync, statfsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { MeshwrightError } from '../errors.js';
import type { Job } from '../job/index.js';
import { reasonOf } from '../reason.js';
import { checkpointBytes, checkpointFolder, listCheckpoints } from '../train/index.js';
import { bytes, formatBytes } from '../units.js';

export interface Ahead {
  /** Steps that the run has to make. */
  readonly steps: number;
  /** What each is predicted to take. */
  readonly stepSeconds: number;
}

/** Where it is not known yet: a checkpoint at the end. */
export const LEAST_AHEAD: Ahead = { steps: 1, stepSeconds: 0 };

/** How many checkpoints lie in the folder at most, the one under way among them, beyond those that are there. */
function checkpointsAhead({ training: { checkpoint } }: Job, { steps, stepSeconds }: Ahead, there: number): number {
  const { keep, everySteps, everySeconds } = checkpoint;
  if (keep === 0) return 0;
  const due =
    everySteps !== undefined
      ? Math.floor(steps / everySteps)
      : everySeconds !== undefined
        ? Math.floor((steps * stepSeconds) / everySeconds)
        : 0;
  // One at the end. An old one is deleted when the one that replaces it is on the disk.
  return Math.max(1, Math.min(due + 1, keep + 1 - there));
}

function nearestFolder(path: string): string {
  const full = resolve(path);
  return existsSync(full) ? full : nearestFolder(dirname(full));
}

/**
 * @param folder the run's, which may be still to be made
 * @throws MeshwrightError DISK_FULL where its disk has less room than the checkpoints take
 */
export function requireRoom(folder: string, job: Job, ahead: Ahead): void {
  const there = existsSync(folder) ? listCheckpoints(folder).length : 0;
  const count = checkpointsAhead(job, ahead, there);
  if (count === 0) return;
  const one = checkpointBytes(job);
  const { blocks, bavail, bsize } = statfsSync(nearestFolder(folder));
  const free = bavail * bsize;
  // A file system without blocks (/proc) counts none: that nothing can be made there is found when it is tried.
  if (blocks === 0 || free >= count * one) return;
  const each = `${count} × ${formatBytes(bytes(one))}`;
  throw new MeshwrightError('DISK_FULL', {
    place: folder,
    expected: `room for ${count === 1 ? 'a checkpoint' : 'checkpoints'}, ${each}`,
    got: `${formatBytes(bytes(free))} free`,
    hint: 'make room, name a folder on another disk with --run, or keep fewer with --keep-checkpoints',
  });
}

/** @throws MeshwrightError RUN_INVALID of a run folder that is there and can't be written to */
export function requireWritable(folder: string): void {
  for (const path of [folder, checkpointFolder(folder), join(folder, 'metrics.jsonl')].filter(existsSync)) {
    try {
      accessSync(path, constants.W_OK);
    } catch (error) {
      throw new MeshwrightError('RUN_INVALID', {
        place: path,
        expected: 'a run folder that can be written to, to go on in it',
        got: reasonOf(error),
        hint: 'name a new one with --run',
      });
    }
  }
}
