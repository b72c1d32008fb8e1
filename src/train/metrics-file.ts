/** `metrics.jsonl` of a run folder: a line a step, each step once, also where a run was cut off and gone on with. */
import {
  appendFileSync,
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
} from 'node:fs';
import { join } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import { MeshwrightError } from '../errors.js';
import { reasonOf } from '../reason.js';
import { runFolderOf } from './checkpoint/index.js';
import type { StepMetrics } from './events.js';

const pathIn = (runFolder: string): string => join(runFolder, 'metrics.jsonl');

function writing<T>(path: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw new MeshwrightError('WRITE_FAILED', {
      place: path,
      expected: 'a file that can be written',
      got: reasonOf(error),
    });
  }
}

export class MetricsFile {
  readonly #path: string;

  constructor(runFolder: string) {
    this.#path = pathIn(runFolder);
  }

  /** @throws MeshwrightError WRITE_FAILED */
  append(line: StepMetrics): void {
    writing(this.#path, () => {
      const before = statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0;
      try {
        appendFileSync(this.#path, `${JSON.stringify(line)}\n`);
      } catch (error) {
        // On a full disk a part of it may be there.
        if (existsSync(this.#path)) truncateSync(this.#path, before);
        throw error;
      }
    });
  }

  /** Returns when all lines are on the disk. @throws MeshwrightError WRITE_FAILED */
  sync(): void {
    writing(this.#path, () => {
      const file = openSync(this.#path, 'a');
      try {
        fsyncSync(file);
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

/** Calls `use` with a new file, which is on the disk then. */
function writeNew(path: string, use: (file: number) => void): void {
  const file = openSync(path, 'w');
  try {
    use(file);
    fsyncSync(file);
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
  const path = pathIn(runFolder);
  const under = `${path}.tmp`;
  writing(path, () => {
    const isKept = (line: string): boolean => {
      const of = stepOf(line);
      return typeof of === 'number' && of <= step;
    };
    try {
      writeNew(under, (file) => {
        for (const lines of linesOf(pathIn(before)))
          appendFileSync(
            file,
            lines
              .filter(isKept)
              .map((line) => `${line}\n`)
              .join(''),
          );
      });
      renameSync(under, path);
    } catch (error) {
      rmSync(under, { force: true });
      throw error;
    }
  });
}
