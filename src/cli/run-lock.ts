/**
 * One training at a time in a run folder: a second one would write the same steps and checkpoints again. The file that
 * says so names a process; one that is gone left it behind.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MeshwrightError } from '../errors.js';
import { reasonOf } from '../reason.js';

const fileIn = (folder: string): string => join(folder, '.in-use');

function isAlive(process_: number): boolean {
  try {
    process.kill(process_, 0);
    return true;
  } catch (error) {
    // It is somebody else's.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** The process that trains in a folder, if there is another one. */
function userOf(folder: string): number | undefined {
  let text: string;
  try {
    text = readFileSync(fileIn(folder), 'utf8');
  } catch {
    return undefined;
  }
  const id = /^\d+$/.test(text) ? Number(text) : undefined;
  return id !== undefined && id > 0 && id !== process.pid && isAlive(id) ? id : undefined;
}

/** @throws MeshwrightError RUN_INVALID of a folder that a training is under way in */
export function requireUnused(folder: string): void {
  const user = userOf(folder);
  if (user === undefined) return;
  throw new MeshwrightError('RUN_INVALID', {
    place: folder,
    expected: 'a run that is not under way',
    got: `one that process ${user} is training`,
    hint: `end that first; if it is something else, delete ${fileIn(folder)}`,
  });
}

/**
 * Takes a folder for this process, until it ends or gives it back.
 *
 * @returns gives it back
 * @throws MeshwrightError as `requireUnused`, WRITE_FAILED
 */
export function useRun(folder: string): () => void {
  const path = fileIn(folder);
  const write = (): void => writeFileSync(path, String(process.pid), { flag: 'wx' });
  try {
    write();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') {
      requireUnused(folder);
      rmSync(path, { force: true });
      return useRun(folder);
    }
    const expected = 'a file that can be written';
    throw new MeshwrightError('WRITE_FAILED', { place: path, expected, got: reasonOf(error) });
  }
  const giveBack = (): void => {
    process.off('exit', giveBack);
    rmSync(path, { force: true });
  };
  process.on('exit', giveBack);
  return giveBack;
}
