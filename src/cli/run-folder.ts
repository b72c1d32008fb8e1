/** A run is a folder: `job.yaml`, `metrics.jsonl`, `trace.json`, `comparison.json`, and the profile it was predicted by. */
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, rmdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { z } from 'zod';
import { MeshwrightError } from '../errors.js';
import { reasonOf } from '../reason.js';
import type { TraceProcess } from '../trace/index.js';
import { traceText } from '../trace/index.js';
import { removeIfThere, writeWhole } from '../whole-file.js';

/**
 * @param flag that names the folder, for the hint
 * @throws MeshwrightError RUN_EXISTS: nothing is ever overwritten
 */
export function requireFree(path: string, flag: '--run' | '--output'): void {
  if (!existsSync(path)) return;
  throw new MeshwrightError('RUN_EXISTS', {
    place: path,
    expected: 'a folder that does not exist',
    got: 'one that does',
    hint: `name another with ${flag}`,
  });
}

/**
 * Not `recursive`: that also takes a folder that is there, and can loop on paths nobody may write to.
 *
 * @param made the folders that were, the outermost first
 */
function makeFolder(path: string, made: string[]): void {
  const parent = dirname(path);
  if (parent !== path && !existsSync(parent)) makeAround(parent, made);
  mkdirSync(path);
  made.push(path);
}

/** A folder that others may need as well, and make at the same time. */
function makeAround(path: string, made: string[]): void {
  try {
    makeFolder(path, made);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** Removes folders that were made around one, the innermost first, as far as nobody else has put something in them. */
function unmake(made: readonly string[]): void {
  for (const path of made.toReversed()) {
    try {
      rmdirSync(path);
    } catch {
      // Something else is in it, or it is gone already.
      return;
    }
  }
}

/**
 * @returns takes the folder back, with all that was written into it: of work that turns out not to be possible
 * @throws MeshwrightError as `requireFree`, RUN_INVALID where the folder can't be made
 */
export function createRunFolder(path: string, flag: '--run' | '--output'): () => void {
  requireFree(path, flag);
  const made: string[] = [];
  const full = resolve(path);
  try {
    makeFolder(full, made);
    return () => {
      rmSync(full, { recursive: true, force: true });
      unmake(made.slice(0, -1));
    };
  } catch (error) {
    unmake(made);
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') requireFree(path, flag);
    throw new MeshwrightError('RUN_INVALID', {
      place: path,
      expected: 'a folder that can be made',
      got: reasonOf(error),
    });
  }
}

/** A folder that was made, and what takes it back. */
export interface MadeFolder {
  readonly folder: string;
  readonly takeBack: () => void;
}

/**
 * Makes the first of `base`, `base-2`, `base-3` … that does not exist.
 *
 * @throws MeshwrightError RUN_INVALID where it can't be made
 */
export function createFreeRunFolder(base: string): MadeFolder {
  for (let number = 1; ; number++) {
    const folder = number === 1 ? base : `${base}-${number}`;
    if (existsSync(folder)) continue;
    try {
      return { folder, takeBack: createRunFolder(folder, '--run') };
    } catch (error) {
      // Another process took the name meanwhile.
      if (!(error instanceof MeshwrightError) || error.code !== 'RUN_EXISTS') throw error;
    }
  }
}

function putTrace(path: string, processes: readonly TraceProcess[]): void {
  const file = openSync(path, 'w');
  try {
    for (const piece of traceText(processes)) writeFileSync(file, piece);
  } finally {
    closeSync(file);
  }
}

/** The trace of a run. @throws MeshwrightError WRITE_FAILED */
export const writeRunTrace = (folder: string, processes: readonly TraceProcess[]): void =>
  writeWhole(join(folder, 'trace.json'), (under) => putTrace(under, processes));

/** Where a flag says, which may be a device. @throws MeshwrightError USAGE */
export function writeTrace(path: string, processes: readonly TraceProcess[]): void {
  try {
    putTrace(path, processes);
  } catch (error) {
    throw new MeshwrightError('USAGE', {
      place: path === '' ? '--trace' : path,
      expected: 'a file that can be written',
      got: reasonOf(error),
    });
  }
}

/** Before work whose result goes into a file. @throws MeshwrightError RUN_EXISTS, and USAGE where its folder is missing */
export function requireNew(path: string): void {
  const folder = dirname(path);
  if (!existsSync(folder))
    throw new MeshwrightError('USAGE', { place: path, expected: 'a file in a folder that exists', got: folder });
  if (!existsSync(path)) return;
  const [expected, got] = ['a file that does not exist', 'one that does'];
  throw new MeshwrightError('RUN_EXISTS', { place: path, expected, got });
}

/** Writes a file that must not exist yet. @throws MeshwrightError RUN_EXISTS or USAGE */
export function writeNew(path: string, text: string): void {
  try {
    writeFileSync(path, text, { flag: 'wx' });
  } catch (error) {
    const exists = (error as NodeJS.ErrnoException).code === 'EEXIST';
    // Half of it would be in the way of the next time.
    if (!exists) removeIfThere(path);
    throw new MeshwrightError(exists ? 'RUN_EXISTS' : 'USAGE', {
      place: path,
      expected: exists ? 'a file that does not exist' : 'a file that can be written',
      got: exists ? 'one that does' : reasonOf(error),
    });
  }
}

/**
 * @param schemas the one that is written first, then those of before that can be read
 * @throws MeshwrightError RUN_INVALID when the file is missing or no document of one of them, which has this form
 */
export function readDocument<T>(folder: string, name: string, schemas: readonly string[], form: z.ZodType<T>): T {
  const path = join(folder, name);
  if (!existsSync(folder))
    throw new MeshwrightError('RUN_INVALID', { place: folder, expected: 'the folder of a run', got: 'nothing there' });
  const invalid = (got: string) =>
    new MeshwrightError('RUN_INVALID', {
      place: path,
      expected: `a ${schemas[0]} document`,
      got,
      ...(existsSync(path) ? {} : { hint: 'train writes it when it ends' }),
    });
  let document: unknown;
  try {
    document = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw invalid(reasonOf(error));
  }
  const got = (document as { schema?: unknown } | null)?.schema;
  if (!schemas.includes(got as string)) throw invalid(`schema ${JSON.stringify(got)}`);
  const { data, error } = form.safeParse(document);
  if (error === undefined) return data;
  const [issue] = error.issues;
  throw invalid(`one whose ${issue!.path.join('.')} is wrong (${issue!.message})`);
}
