/** SIGINT, SIGTERM and SIGHUP ask the work to end after the step in flight; a second one ends at once. */
import { runFolderOf } from '../train/index.js';
import type { SavedCheckpoint, TrainReport } from '../train/index.js';

const STATUS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
type Signal = keyof typeof STATUS;
const SIGNALS = Object.keys(STATUS) as Signal[];

/**
 * Signals that come sooner after the first are the same request: `npx` and `npm run` pass on what a terminal has sent to
 * all of its processes, and one that is closed sends more than one.
 */
const SAME_REQUEST_MILLISECONDS = 500;

/** Thrown to end a command that a signal cut short; the person who sent it knows why, so nothing is printed. */
export class Interrupted extends Error {
  readonly exitStatus: number;

  constructor(signal: Signal) {
    super(`interrupted by ${signal}`);
    this.exitStatus = STATUS[signal];
  }
}

/** How a run goes on from a checkpoint. */
export function howToGoOn({ path, step }: Pick<SavedCheckpoint, 'path' | 'step'>): string {
  return `step ${step} and all before it are safe: meshwright train --resume ${runFolderOf(path) ?? path} goes on`;
}

/**
 * @returns the report, and what to throw after reporting it where a signal cut the run short
 * @throws Interrupted where it did so before there was a report
 */
export async function interruptible(
  work: (signal: AbortSignal) => Promise<TrainReport>,
  end: () => void,
): Promise<{ report: TrainReport; interrupted?: Interrupted }> {
  return untilSignal('the step in flight', end, async (signal, cause) => {
    const report = await work(signal);
    const interrupted = cause();
    if (interrupted === undefined) return { report };
    if (report.checkpoint !== undefined) process.stderr.write(`${howToGoOn(report.checkpoint)}\n`);
    return { report, interrupted };
  });
}

/**
 * Work that a signal asks to end.
 *
 * @param lastPart what it still does then, for people
 * @param work is given the signal, and what tells whether one came
 * @throws Interrupted as the signal's reason, unless the work still gives something
 */
export async function untilSignal<T>(
  lastPart: string,
  end: () => void,
  work: (signal: AbortSignal, cause: () => Interrupted | undefined) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  let interrupted: Interrupted | undefined;
  let since = 0;
  const stop = (name: Signal): void => {
    if (interrupted !== undefined) {
      if (name !== 'SIGHUP' && performance.now() - since > SAME_REQUEST_MILLISECONDS) process.exit(STATUS[name]);
      return;
    }
    since = performance.now();
    interrupted = new Interrupted(name);
    process.stderr.write(`\n${name}: ending after ${lastPart}; once more ends at once\n`);
    controller.abort(interrupted);
  };
  for (const signal of SIGNALS) process.on(signal, stop);
  try {
    return await work(controller.signal, () => interrupted);
  } finally {
    end();
    for (const signal of SIGNALS) process.off(signal, stop);
  }
}
