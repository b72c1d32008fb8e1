/** SIGINT and SIGTERM ask the work to end after the step in flight; a second one ends at once. */
import type { TrainReport } from '../train/index.js';

const STATUS = { SIGINT: 130, SIGTERM: 143 } as const;
type Signal = keyof typeof STATUS;

/** @returns the report, and the exit status to give where a signal cut the run short */
export async function interruptible(
  work: (signal: AbortSignal) => Promise<TrainReport>,
  end: () => void,
): Promise<{ report: TrainReport; interrupted?: number }> {
  const controller = new AbortController();
  let interrupted: number | undefined;
  const stop = (name: Signal): void => {
    if (interrupted !== undefined) process.exit(STATUS[name]);
    interrupted = STATUS[name];
    process.stderr.write(`\n${name}: ending after the step in flight\n`);
    controller.abort(new Error(`interrupted by ${name}`));
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
