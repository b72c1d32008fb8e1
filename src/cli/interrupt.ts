/** SIGINT, SIGTERM and SIGHUP ask the work to come to an end; a second one ends at once. */
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
 * @param ending what becomes of the work when it is asked to end
 * @returns what the work came to, and what to throw after reporting it where a signal cut it short
 * @throws Interrupted where it did so before the work came to anything
 */
export async function untilInterrupted<T>(
  ending: string,
  work: (signal: AbortSignal) => Promise<T>,
  end: () => void,
): Promise<{ result: T; interrupted?: Interrupted }> {
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
    process.stderr.write(`\n${name}: ${ending}; once more ends at once\n`);
    controller.abort(interrupted);
  };
  for (const signal of SIGNALS) process.on(signal, stop);
  try {
    const result = await work(controller.signal);
    return { result, ...(interrupted === undefined ? {} : { interrupted }) };
  } finally {
    end();
    for (const signal of SIGNALS) process.off(signal, stop);
  }
}

/** A training: the step in flight ends, and what is safe is said. */
export async function interruptible(
  work: (signal: AbortSignal) => Promise<TrainReport>,
  end: () => void,
): Promise<{ report: TrainReport; interrupted?: Interrupted }> {
  const { result: report, interrupted } = await untilInterrupted('ending after the step in flight', work, end);
  if (interrupted === undefined) return { report };
  if (report.checkpoint !== undefined) process.stderr.write(`${howToGoOn(report.checkpoint)}\n`);
  return { report, interrupted };
}
