/** `metrics.jsonl` of a run folder: a line a step, each step once, also where a run was cut off and gone on with. */
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import { writeWhole, writing } from '../whole-file.js';
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

/** Read at a time: the file of a run of some million steps is longer than a string may be. */
const CHUNK_BYTES = 2 ** 20;

/** Some lines after the other. */
function* linesOf(path: string): Generator<string[]> {
  const file = openSync(path, 'r');
  try {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    const decoder = new StringDecoder('utf8');
    let rest = '';
    for (let length = readSync(file, chunk); length > 0; length = readSync(file, chunk)) {
      const lines = (rest + decoder.write(chunk.subarray(0, length))).split('\n');
      rest = lines.pop()!;
      yield lines;
    }
    yield [rest];
  } finally {
    closeSync(file);
  }
}

/**
 * Gives a run folder the lines that a checkpoint has behind it: those of the run that wrote it, up to its step.
 *
 * @throws MeshwrightError WRITE_FAILED
 */
export function continueMetrics(checkpoint: string, runFolder: string, step: number): void {
  const before = runFolderOf(checkpoint);
  if (before === undefined || !existsSync(pathIn(before))) return;
  const isKept = (line: string): boolean => {
    const of = stepOf(line);
    return typeof of === 'number' && of <= step;
  };
  writeWhole(pathIn(runFolder), (under) => {
    const file = openSync(under, 'wx');
    try {
      for (const lines of linesOf(pathIn(before))) {
        const kept = lines.filter(isKept).map((line) => `${line}\n`);
        writeFileSync(file, kept.join(''));
      }
    } finally {
      closeSync(file);
    }
  });
}
