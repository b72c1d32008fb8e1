/** Files that are there whole at any moment, or not at all: what is read meanwhile is the old one. */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MeshwrightError } from './errors.js';
import { reasonOf } from './reason.js';

/** After a failure, which is what is to be told of. */
function removeIfThere(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // What was in the way of the file is in the way of this too.
  }
}

/** Writes a file, or replaces one. @throws MeshwrightError WRITE_FAILED */
export function writeText(folder: string, name: string, text: string): void {
  const path = join(folder, name);
  const under = `${path}.tmp`;
  try {
    writeFileSync(under, text);
    renameSync(under, path);
  } catch (error) {
    removeIfThere(under);
    throw new MeshwrightError('WRITE_FAILED', {
      place: path,
      expected: 'a file that can be written',
      got: reasonOf(error),
    });
  }
}

/** @throws MeshwrightError WRITE_FAILED */
export const writeDocument = (folder: string, name: string, document: unknown): void =>
  writeText(folder, name, `${JSON.stringify(document, null, 2)}\n`);
