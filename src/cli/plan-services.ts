/** What the UI asks for before anything is trained: searches, looks at plans, files. All of it on threads of its own. */
import { setTimeout as delay } from 'node:timers/promises';
import { MessageChannel } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { MeshwrightError } from '../errors.js';
import type { SearchProgress, SearchWish, Services, TaskChoice } from '../tui/services.js';
import type { LookAnswers, LookOutcome, LookRequest } from './plan-look-task.js';
import type { SearchOutcome } from './search-task.js';

/** Who goes through values with a key held down does not mean a search for each. */
const SETTLED_MILLISECONDS = 120;

async function search(
  task: TaskChoice,
  wish: SearchWish,
  onProgress: (progress: SearchProgress) => void,
  signal: AbortSignal,
): Promise<SearchProgress> {
  await delay(SETTLED_MILLISECONDS, undefined, { signal });
  const pool = new Piscina({
    filename: new URL('./search-worker.js', import.meta.url).href,
    minThreads: 1,
    maxThreads: 1,
  });
  const { port1, port2 } = new MessageChannel();
  port1.on('message', onProgress);
  try {
    const request = { task, wish, port: port2 };
    const outcome = (await pool.run(request, { transferList: [port2], signal })) as SearchOutcome;
    if ('progress' in outcome) return outcome.progress;
    throw new MeshwrightError(outcome.code, outcome.detail);
  } finally {
    port1.close();
    await pool.destroy();
  }
}

/** How long the thread that looks is kept when there is nothing to look at. */
const IDLE_MILLISECONDS = 60_000;

/** Started when it is first asked. */
function lookThread(): <Kind extends LookRequest['kind']>(
  request: Extract<LookRequest, { kind: Kind }>,
) => Promise<LookAnswers[Kind]> {
  let pool: Piscina | undefined;
  return async (request) => {
    pool ??= new Piscina({
      filename: new URL('./plan-look-worker.js', import.meta.url).href,
      minThreads: 0,
      maxThreads: 1,
      idleTimeout: IDLE_MILLISECONDS,
    });
    const outcome = (await pool.run(request)) as LookOutcome<typeof request.kind>;
    if ('code' in outcome) throw new MeshwrightError(outcome.code, outcome.detail);
    return outcome.answer;
  };
}

export function createPlanServices(): Pick<Services, 'files' | 'search' | 'look' | 'writeJob'> {
  const ask = lookThread();
  return {
    files: () => ask({ kind: 'files', folder: '.' }),
    search,
    look: (task, label, window) => ask({ kind: 'look', task, label, window }),
    writeJob: async (task, label, path) => void (await ask({ kind: 'write', task, label, path })),
  };
}
