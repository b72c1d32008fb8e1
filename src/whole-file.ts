/**
 * Files and folders that are there whole at any moment, or not at all, also after the machine has lost its power: they are
 * made under another name in the same folder, and get their own once they are on the disk. What is read meanwhile is the
 * old one.
 */
import { randomUUID } from 'node:crypto';
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { MeshwrightError } from './errors.js';
import { reasonOf } from './reason.js';

export interface WholeFileOptions {
  /** Its name until then, in the same folder; one that nobody else has unless given. */
  readonly temporary?: string;
  /** What to do where it can't be written. */
  readonly hint?: string;
}

const writeFailed = (path: string, error: unknown, hint: string | undefined): unknown =>
  error instanceof MeshwrightError
    ? error
    : new MeshwrightError('WRITE_FAILED', {
        place: path,
        expected: 'a file that can be written',
        got: reasonOf(error),
        ...(hint === undefined ? {} : { hint }),
      });

/**
 * Does what writes a file, or makes room for it.
 *
 * @throws MeshwrightError WRITE_FAILED where the system refuses, and what `act` throws that is one
 */
export function writing<T>(path: string, act: () => T, hint?: string): T {
  try {
    return act();
  } catch (error) {
    throw writeFailed(path, error, hint);
  }
}

function sync(path: string, flags: 'r' | 'r+'): void {
  const file = openSync(path, flags);
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Of systems where folders can't be opened or synced: names are then on the disk when the system sees fit. */
const NOT_FOR_FOLDERS = new Set(['EACCES', 'EINVAL', 'EISDIR', 'ENOTSUP', 'EPERM']);

/** Returns when the names in a folder are on the disk, where the system knows how. */
export function syncFolder(folder: string): void {
  try {
    sync(folder, 'r');
  } catch (error) {
    if (!NOT_FOR_FOLDERS.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

/** After a failure, which is what is to be told of. */
export function removeIfThere(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // What was in the way of the file is in the way of this too.
  }
}

function underWay(path: string, { temporary, hint }: WholeFileOptions) {
  const under = join(dirname(path), temporary ?? `.${basename(path)}.${randomUUID()}.tmp`);
  return {
    under,
    settle(): void {
      sync(under, 'r+');
      renameSync(under, path);
      syncFolder(dirname(path));
    },
    failed(error: unknown): unknown {
      removeIfThere(under);
      return writeFailed(path, error, hint);
    },
  };
}

/**
 * Writes a file, or replaces one.
 *
 * @param write makes the file of the name that it is given
 * @returns what `write` returns, when the file is on the disk under its own name
 * @throws MeshwrightError WRITE_FAILED, and what `write` throws that is one; what was there before is there still
 */
export function writeWhole<T>(path: string, write: (under: string) => T, options: WholeFileOptions = {}): T {
  const { under, settle, failed } = underWay(path, options);
  try {
    const result = write(under);
    settle();
    return result;
  } catch (error) {
    throw failed(error);
  }
}

/** As `writeWhole`, of what is not known at once. */
export async function writeWholeLater<T>(
  path: string,
  write: (under: string) => Promise<T>,
  options: WholeFileOptions = {},
): Promise<T> {
  const { under, settle, failed } = underWay(path, options);
  try {
    const result = await write(under);
    settle();
    return result;
  } catch (error) {
    throw failed(error);
  }
}

/** Writes a text, or replaces one. @throws MeshwrightError WRITE_FAILED */
export const writeText = (folder: string, name: string, text: string): void =>
  writeWhole(join(folder, name), (under) => writeFileSync(under, text, { flag: 'wx' }));

/** @throws MeshwrightError WRITE_FAILED */
export const writeDocument = (folder: string, name: string, document: unknown): void =>
  writeText(folder, name, `${JSON.stringify(document, null, 2)}\n`);

/**
 * Gives a folder that has something in it another name, unless there is one of that name with something in it: of
 * several processes that try, one does.
 *
 * @returns whether it could be done
 */
export function renamedFolder(from: string, to: string): boolean {
  try {
    renameSync(from, to);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOTEMPTY' || code === 'EEXIST') return false;
    throw error;
  }
  syncFolder(dirname(to));
  return true;
}
