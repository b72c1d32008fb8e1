/**
 * One training at a time in a run folder: a second one would write the same steps and checkpoints again. The folder
 * `.in-use` in it says which process has it. It is made under another name and renamed, which succeeds for one of all that
 * try at once. What a process that is gone left behind is removed by one at a time as well: another one could otherwise
 * remove what the first has put in its place.
 */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { MeshwrightError } from '../errors.js';
import { reasonOf } from '../reason.js';
import { renamedFolder, writeDocument, writing } from '../whole-file.js';
import type { RunningProcess } from './running-process.js';
import { fateOf, processHere, runningProcessForm } from './running-process.js';

const FOLDER = '.in-use';
const FILE = 'process.json';

const holderForm = runningProcessForm.extend({ id: z.uuid() });
type Holder = z.infer<typeof holderForm>;

/** More often than others come and go while this process looks. */
const ATTEMPTS = 100;

function refused(runFolder: string, path: string, got: string): MeshwrightError {
  return new MeshwrightError('RUN_INVALID', {
    place: runFolder,
    expected: 'a run that is not under way',
    got,
    hint: `end that first; if there is none, delete ${path}`,
  });
}

const described = ({ pid, host }: RunningProcess, isHere: boolean): string =>
  `one that process ${pid}${isHere ? '' : ` on ${host}`} is training`;

/** Nothing where nobody has it. @throws MeshwrightError RUN_INVALID where it does not say who */
function holderOf(path: string, runFolder: string): Holder | undefined {
  try {
    return holderForm.parse(JSON.parse(readFileSync(join(path, FILE), 'utf8')));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    const why = error instanceof z.ZodError ? 'it has another form' : reasonOf(error);
    throw refused(runFolder, path, `a ${FOLDER} that does not say by which process (${why})`);
  }
}

/** At once, for whoever looks. */
function remove(path: string): void {
  const gone = `${path}-${randomUUID()}`;
  renameSync(path, gone);
  rmSync(gone, { recursive: true, force: true });
}

function giveBack(path: string, id: string, runFolder: string): void {
  try {
    // Somebody may have deleted the run meanwhile, and made another of its name.
    if (holderOf(path, runFolder)?.id === id) remove(path);
  } catch {
    // It is left behind, as by a process that was killed.
  }
}

/** @returns gives it back */
function take(path: string, runFolder: string): () => void {
  const own: Holder = { ...processHere(), id: randomUUID() };
  const under = mkdtempSync(`${path}-`);
  try {
    writeDocument(under, FILE, own);
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const holder = holderOf(path, runFolder);
      if (holder === undefined) {
        if (renamedFolder(under, path)) return () => giveBack(path, own.id, runFolder);
        continue;
      }
      const fate = fateOf(holder, own);
      if (fate !== 'gone') throw refused(runFolder, path, described(holder, fate === 'runs'));
      const done = take(`${path}-${holder.id}`, runFolder);
      try {
        if (holderOf(path, runFolder)?.id === holder.id) remove(path);
      } finally {
        done();
      }
    }
    throw refused(runFolder, path, 'one that others take and give back again and again');
  } finally {
    rmSync(under, { recursive: true, force: true });
  }
}

/** Takes a folder for this process, until it ends or gives it back. @returns gives it back */
function takeUntilEnd(runFolder: string): () => void {
  const path = join(resolve(runFolder), FOLDER);
  const giveItBack = writing(path, () => take(path, runFolder));
  const end = (): void => {
    process.off('exit', end);
    giveItBack();
  };
  process.on('exit', end);
  return end;
}

/** @throws MeshwrightError RUN_INVALID of a folder that a training is under way in, WRITE_FAILED */
export type Hold = (runFolder: string) => void;

/**
 * Work that needs run folders for itself.
 *
 * @param work is given what takes a folder for this process, until the work has ended
 */
export async function holdingRuns<T>(work: (hold: Hold) => Promise<T>): Promise<T> {
  const held: (() => void)[] = [];
  try {
    return await work((runFolder) => held.push(takeUntilEnd(runFolder)));
  } finally {
    for (const giveItBack of held) giveItBack();
  }
}
