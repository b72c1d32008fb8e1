/** SIGINT and SIGTERM ask the work to end after the step in flight; a second one ends at once. */
import type { TrainReport } from '../train/index.js';

const STATUS = { SIGINT: 130, SIGTERM: 143 } as const;
type Signal = keyof typeof STATUS;

/** Thrown to end a command that a signal cut short; the person who sent it knows why, so nothing is printed. */
export class Interrupted extends Error {
  readonly exitStatus: number;

  constructor(signal: Signal) {
    super(`interrupted by ${signal}`);
    this.exitStatus = STATUS[signal];
  }
}

/**
 * @returns the report, and what to throw after reporting it where a signal cut the run short
 * @throws Interrupted where it did so before there was a report
 */
export async function interruptible(
  work: (signal: AbortSignal) => Promise<TrainReport>,
  end: () => void,
): Promise<{ report: TrainReport; interrupted?: Interrupted }> {
  const controller = new AbortController();
  let interrupted: Interrupted | undefined;
  const stop = (name: Signal): void => {
    if (interrupted !== undefined) process.exit(STATUS[name]);
    interrupted = new Interrupted(name);
    process.stderr.write(`\n${name}: ending after the step in flight\n`);
    controller.abort(interrupted);
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  try {
    const report = await work(controller.signal);
    return interrupted === undefined ? { report } : { report, interrupted };
  } finally {
    end();
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  }
}
