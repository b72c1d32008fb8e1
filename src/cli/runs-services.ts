/** What the UI asks of runs that are over: read and fitted on a thread of its own, so that it never waits. */
import { Piscina } from 'piscina';
import { MeshwrightError } from '../errors.js';
import type { RunServices } from '../tui/services.js';
import type { RunsAnswers, RunsOutcome, RunsRequest } from './runs-task.js';

/** Where runs that name no folder go. */
const RUNS = 'runs';
/** The profile of this machine, which runs of the UI are kept for. */
const HERE = 'local';

/** One request on a thread that ends with it; an abort ends both. */
async function ask<Kind extends RunsRequest['kind']>(
  request: Extract<RunsRequest, { kind: Kind }>,
  signal: AbortSignal,
): Promise<RunsAnswers[Kind]> {
  const pool = new Piscina({
    filename: new URL('./runs-worker.js', import.meta.url).href,
    minThreads: 1,
    maxThreads: 1,
  });
  try {
    const outcome = (await pool.run(request, { signal })) as RunsOutcome<RunsAnswers[Kind]>;
    if ('answer' in outcome) return outcome.answer;
    throw new MeshwrightError(outcome.code, outcome.detail);
  } finally {
    await pool.destroy();
  }
}

export const createRunServices = (): RunServices => ({
  runs: (signal) => ask({ kind: 'list', folder: RUNS }, signal),
  readRun: (runFolder, signal) => ask({ kind: 'read', runFolder }, signal),
  calibrate: (signal) => ask({ kind: 'calibrate', hardware: HERE, folder: RUNS }, signal),
});
