/** `metrics.jsonl` of a run folder: a line a step, each step once, also where a run was cut off and gone on with. */
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { writeText, writing } from '../whole-file.js';
import { runFolderOf } from './checkpoint/index.js';
import type { StepMetrics } from './events.js';

const NAME = 'metrics.jsonl';
const pathIn = (runFolder: string): string => join(runFolder, NAME);

export class MetricsFile {
  readonly #path: string;
  #isMade = false;

  constructor(runFolder: string) {
    this.#path = pathIn(runFolder);
  }

  /** @throws MeshwrightError WRITE_FAILED */
  append(line: StepMetrics): void {
    this.#open((file) => {
      const before = fstatSync(file).size;
      try {
        writeFileSync(file, `${JSON.stringify(line)}\n`);
      } catch (error) {
        // On a full disk a part of it may be there.
        ftruncateSync(file, before);
        throw error;
      }
    });
  }

  /** Returns when all lines are on the disk. @throws MeshwrightError WRITE_FAILED */
  sync(): void {
    this.#open(fsyncSync);
  }

  #open(act: (file: number) => void): void {
    // Whoever deletes a run while it is under way wants no other file of it.
    const make = this.#isMade ? 0 : constants.O_CREAT;
    writing(this.#path, () => {
      const file = openSync(this.#path, constants.O_WRONLY | constants.O_APPEND | make);
      try {
        this.#isMade = true;
        act(file);
      } finally {
        closeSync(file);
      }
    });
  }
}

const stepOf = (line: string): unknown => {
  try {
    return (JSON.parse(line) as { step?: unknown } | null)?.step;
  } catch {
    // The last line of a run that was cut off.
    return undefined;
  }
};

/**
 * Gives a run folder the lines that a checkpoint has behind it: those of the run that wrote it, up to its step.
 *
 * @throws MeshwrightError WRITE_FAILED
 */
export function continueMetrics(checkpoint: string, runFolder: string, step: number): void {
  const before = runFolderOf(checkpoint);
  if (before === undefined || !existsSync(pathIn(before))) return;
  const lines = writing(pathIn(before), () => readFileSync(pathIn(before), 'utf8').split('\n'));
  const kept = lines.filter((line) => {
    const of = stepOf(line);
    return typeof of === 'number' && of <= step;
  });
  writeText(runFolder, NAME, kept.map((line) => `${line}\n`).join(''));
}
