/**
 * Work in a process of its own, the parent's side: whatever happens to the device pool, an abort inside a tensor
 * library included, the parent lives on and says what happened. The child's side is `serve-child.ts`.
 */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { MeshwrightError } from '../errors.js';
import type { ChildExchange, FromChild, ToChild } from './child-protocol.js';
import { unpackError } from './failure.js';
import { MALLOC_ENVIRONMENT } from './kernels/index.js';

export interface ChildRequest<E extends ChildExchange> {
  /** Which of the child's handlers. */
  readonly kind: string;
  /** Cloned; arrays over a SharedArrayBuffer can't cross. */
  readonly args: E['args'];
}

export interface ChildOptions<E extends ChildExchange> {
  readonly onEvent?: (event: E['event']) => void;
  /** Asks the child's handler to end. It may still give a result, which then counts. */
  readonly signal?: AbortSignal;
  /** As aborting, after this long; without a result the request then fails with TIMED_OUT. */
  readonly timeoutSeconds?: number;
  /** How long the child has to end once it was asked to, before it is killed. 5 by default. */
  readonly graceSeconds?: number;
  /** Size of the child's libuv pool, on which native kernels run: at least one thread a rank. */
  readonly poolThreads?: number;
}

/** What of the child's error output is kept, for the message of a child that died. */
const KEPT_OUTPUT = 2000;

/**
 * Starts a child, has it answer one request and waits until it is gone.
 *
 * @param hostUrl a compiled module that calls `serveChild`
 * @returns the handler's result
 * @throws what the handler threw, a MeshwrightError with code and detail kept; the signal's reason when aborted;
 *   MeshwrightError DEVICE_FAILED when the child died, TIMED_OUT after `timeoutSeconds`
 */
export async function runInChild<E extends ChildExchange>(
  hostUrl: URL,
  request: ChildRequest<E>,
  options: ChildOptions<E> = {},
): Promise<E['result']> {
  const { onEvent, signal, timeoutSeconds, graceSeconds = 5, poolThreads } = options;
  signal?.throwIfAborted();
  const child = fork(fileURLToPath(hostUrl), [], {
    serialization: 'advanced',
    execArgv: [],
    // stdout would disturb what the parent prints.
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    env: {
      ...process.env,
      ...MALLOC_ENVIRONMENT,
      ...(poolThreads === undefined ? {} : { UV_THREADPOOL_SIZE: String(poolThreads) }),
    },
  });
  let timedOut = false;
  const timers: NodeJS.Timeout[] = [];
  const endWithin = (seconds: number): void => {
    timers.push(setTimeout(() => child.kill('SIGKILL'), seconds * 1000));
  };
  const abort = (): void => {
    send(child, { kind: 'abort' });
    endWithin(graceSeconds);
  };
  let answer: Extract<FromChild, { kind: 'result' | 'error' }> | undefined;
  child.on('message', (message: FromChild) => {
    if (message.kind === 'event') {
      onEvent?.(message.event);
      return;
    }
    answer = message;
    // Without a parent to talk to it ends.
    if (child.connected) child.disconnect();
    endWithin(graceSeconds);
  });
  const died = ended(child);
  signal?.addEventListener('abort', abort);
  if (timeoutSeconds !== undefined) {
    timers.push(
      setTimeout(() => {
        timedOut = true;
        abort();
      }, timeoutSeconds * 1000),
    );
  }
  send(child, { kind: 'request', request: request.kind, args: request.args });
  const { how, output } = await died;
  signal?.removeEventListener('abort', abort);
  timers.forEach((timer) => clearTimeout(timer));

  if (answer?.kind === 'result') return answer.result;
  if (signal?.aborted === true) throw signal.reason;
  const place = `device process, ${request.kind}`;
  if (timedOut) {
    throw new MeshwrightError('TIMED_OUT', { place, expected: `an end within ${timeoutSeconds} s`, got: 'none' });
  }
  if (answer) throw unpackError(answer.error);
  throw new MeshwrightError('DEVICE_FAILED', { place, expected: 'an answer', got: output ? `${how}: ${output}` : how });
}

/** A child that is already gone takes no messages; how it went is told by its exit. */
function send(child: ChildProcess, message: ToChild): void {
  if (child.connected) child.send(message, () => undefined);
}

/** How a child ended, with the last of its error output, once it is gone. */
async function ended(child: ChildProcess): Promise<{ readonly how: string; readonly output: string }> {
  let output = '';
  const { stderr } = child;
  stderr?.setEncoding('utf8').on('data', (text: string) => {
    output = (output + text).slice(-KEPT_OUTPUT);
  });
  // Node gives no `close` event for a child that the parent has disconnected from, so its parts are awaited.
  const said = new Promise<void>((resolve) => (stderr ? stderr.on('close', resolve) : resolve()));
  const how = await new Promise<string>((resolve) => {
    child.on('exit', (code, killer) => resolve(killer === null ? `exit status ${code}` : `killed by ${killer}`));
    child.on('error', (error) => {
      if (child.pid === undefined) resolve(error.message);
    });
  });
  await said;
  return { how, output: output.trim() };
}
