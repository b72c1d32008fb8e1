/** Trains for the UI, on a thread of its own: what comes before and after the steps would hold up whoever presses a key. */
import { MessageChannel } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { MeshwrightError } from '../errors.js';
import type { Services } from '../tui/services.js';
import type { FromTrain, ToTrain, TrainOutcome, TrainRequest } from './train-task.js';

/** See `Services`. */
export const train: Services['train'] = async (task, label, onEvent, signal, asked) => {
  signal.throwIfAborted();
  const pool = new Piscina({
    filename: new URL('./train-worker.js', import.meta.url).href,
    minThreads: 1,
    maxThreads: 1,
  });
  const { port1, port2 } = new MessageChannel();
  const send = (message: ToTrain): void => port1.postMessage(message);
  const abort = (): void => send({ kind: 'abort' });
  // Results come another way than events, and may be faster.
  const all = new Promise<void>((resolve) => {
    port1.on('message', (event: FromTrain) => {
      if (event.kind === 'last') resolve();
      else onEvent(event);
    });
  });
  signal.addEventListener('abort', abort);
  asked.listen((control) => send({ kind: 'asked', control }));
  try {
    const request: TrainRequest = { task, label, port: port2 };
    const outcome = (await pool.run(request, { transferList: [port2] })) as TrainOutcome;
    await all;
    if ('runFolder' in outcome) return outcome.runFolder;
    if ('aborted' in outcome) throw signal.reason;
    throw new MeshwrightError(outcome.code, outcome.detail);
  } finally {
    signal.removeEventListener('abort', abort);
    port1.close();
    await pool.destroy();
  }
};
