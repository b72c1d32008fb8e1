/**
 * The checkpoints of a run folder: `checkpoints/step-000100.safetensors`. A file gets its name when it is whole
 * (`whole-file.ts`). Only a run's own are ever deleted.
 */
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { MeshwrightError } from '../../errors.js';
import { reasonOf } from '../../reason.js';
import { syncFolder, writeWholeLater, writing } from '../../whole-file.js';
import { parseMetadata } from './metadata.js';
import { Safetensors } from './safetensors.js';

const FOLDER = 'checkpoints';
const NAME = /^step-(\d{6,15})\.safetensors$/;

export const checkpointFolder = (runFolder: string): string => join(runFolder, FOLDER);
export const checkpointPath = (runFolder: string, step: number): string =>
  join(checkpointFolder(runFolder), `step-${String(step).padStart(6, '0')}.safetensors`);

/** The run folder that a checkpoint lies in, if it lies where runs write them. */
export const runFolderOf = (path: string): string | undefined =>
  basename(dirname(resolve(path))) === FOLDER ? dirname(dirname(path)) : undefined;

/** Whether a checkpoint is one of a run folder's. */
export const isInRun = (path: string, runFolder: string): boolean => {
  const own = runFolderOf(path);
  return own !== undefined && resolve(own) === resolve(runFolder);
};

interface Listed {
  readonly step: number;
  readonly path: string;
}

/** What by its name is a checkpoint, the newest last. @throws MeshwrightError RUN_INVALID where the folder can't be read */
export function listCheckpoints(runFolder: string): Listed[] {
  const folder = checkpointFolder(runFolder);
  if (!existsSync(folder)) return [];
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    throw new MeshwrightError('RUN_INVALID', {
      place: folder,
      expected: 'a folder that can be read',
      got: reasonOf(error),
    });
  }
  return names
    .flatMap((name) => {
      const [, step] = NAME.exec(name) ?? [];
      return step === undefined ? [] : [{ step: Number(step), path: join(folder, name) }];
    })
    .toSorted((a, b) => a.step - b.step);
}

/** Whether a file is a checkpoint that this run wrote; one that can't be read is left to its owner. */
function isOwn(path: string, run: string): boolean {
  try {
    const file = new Safetensors(path);
    file.close();
    return parseMetadata(file.metadata, path).run === run;
  } catch {
    return false;
  }
}

const STILL_WHOLE = 'the checkpoints before it are whole: make room and go on with --resume';

/** Names under way carry the run's id, so that what was cut off is known for its own. */
const temporaryName = (path: string, run: string): string => `.${basename(path)}.${run}.tmp`;

/**
 * Writes a checkpoint and deletes the run's older ones beyond the last `keep`; whatever fails, those before it stay.
 *
 * @param write makes a file that must not exist
 * @throws MeshwrightError WRITE_FAILED, and what `write` throws that is a MeshwrightError
 */
export async function writeCheckpoint<T>(
  path: string,
  run: string,
  keep: number,
  write: (path: string) => Promise<T>,
): Promise<T> {
  const folder = dirname(path);
  const prepare = (): void => {
    if (!existsSync(folder)) {
      mkdirSync(folder);
      syncFolder(dirname(folder));
    }
    if (existsSync(path) && !isOwn(path, run)) {
      throw new MeshwrightError('WRITE_FAILED', {
        place: path,
        expected: 'a name that is free, or has a checkpoint of this run',
        got: 'a file of somebody else',
        hint: 'move it elsewhere',
      });
    }
    removeUnfinished(folder, run);
  };
  writing(path, prepare, STILL_WHOLE);
  const result = await writeWholeLater(path, write, { temporary: temporaryName(path, run), hint: STILL_WHOLE });
  writing(path, () => rotate(dirname(folder), run, keep), STILL_WHOLE);
  return result;
}

/** What a run that was killed left of a file under way. */
function removeUnfinished(folder: string, run: string): void {
  const own = readdirSync(folder).filter((name) => name.startsWith('.step-') && name.endsWith(`.${run}.tmp`));
  for (const name of own) rmSync(join(folder, name), { force: true });
}

function rotate(runFolder: string, run: string, keep: number): void {
  const own = listCheckpoints(runFolder).filter(({ path }) => isOwn(path, run));
  for (const { path } of own.slice(0, -keep)) rmSync(path, { force: true });
}
