/**
 * Work in a process of its own, the parent's side: whatever happens to the device pool, an abort inside a tensor
 * library included, the parent lives on and says what happened. The child's side is `serve-child.ts`.
 */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { closeSync, openSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MeshwrightError } from '../errors.js';
import { seconds } from '../units.js';
import { afterAwake } from './awake.js';
import type { ChildExchange, FromChild, ToChild } from './child-protocol.js';
import { createClock } from './clock.js';
import { unpackError } from './failure.js';
import { GARBAGE_FLAGS } from './garbage.js';
import type { FamilyName } from './kernels/index.js';
import { mallocEnvironment } from './kernels/index.js';
import { lastWhereabouts } from './whereabouts.js';

export interface ChildRequest<E extends ChildExchange> {
  /** Which of the child's handlers. */
  readonly kind: string;
  /** Cloned; arrays over a SharedArrayBuffer can't cross. */
  readonly args: E['args'];
}

export interface ChildOptions<E extends ChildExchange> {
  readonly onEvent?: (event: E['event']) => void;
  /** Gets, once the request is sent, what asks something of its handler. Of a handler that has ended nothing can be asked. */
  readonly onStarted?: (ask: (control: E['control']) => void) => void;
  /** Asks the child's handler to end. It may still give a result, which then counts. */
  readonly signal?: AbortSignal;
  /** As aborting, after this long; without a result the request then fails with TIMED_OUT. */
  readonly timeoutSeconds?: number;
  /**
   * How long the child has to end once it was asked to, before it is killed; may be Infinity. Asked when it counts. 5 s by
   * default.
   */
  readonly graceSeconds?: () => number;
  /** Size of the child's libuv pool, on which native kernels run: at least one thread a rank. */
  readonly poolThreads?: number;
  /** What the child's kernels will be of: how its memory is managed depends on it. */
  readonly family?: FamilyName;
  /** Most that the child's ranks will hold at once, in bytes, where it is known: where far more is free, it is used freely. */
  readonly neededBytes?: number;
}

/** Memory that blocks are kept in: a step's peak was up to 1.6 times what its tensors take (see `mallocEnvironment`). */
const AMPLE = 2;

/** The child's descriptor of the diary, after its standard ones and that of the messages. */
const DIARY_DESCRIPTOR = 4;

/** A file without a name, so that nothing is left of it. Nothing where there is nowhere to make one. */
function openDiary(): number | undefined {
  try {
    const path = join(tmpdir(), `meshwright-${randomUUID()}`);
    const file = openSync(path, 'wx+', 0o600);
    unlinkSync(path);
    return file;
  } catch {
    return undefined;
  }
}

/** How long a child whose work is over has to end, before it is killed. */
const SECONDS_AFTER_ANSWER = 5;

/** What of the child's error output is kept, for the message of a child that died. */
const KEPT_OUTPUT = 2000;

/**
 * Starts a child, has it answer one request and waits until it is gone.
 *
 * @param hostUrl a compiled module that calls `serveChild`
 * @returns the handler's result
 * @throws what the handler threw, a MeshwrightError with code and detail kept; the signal's reason when aborted;
 *   MeshwrightError DEVICE_FAILED when the child died, naming what its ranks were at, TIMED_OUT after `timeoutSeconds`
 */
export async function runInChild<E extends ChildExchange>(
  hostUrl: URL,
  request: ChildRequest<E>,
  options: ChildOptions<E> = {},
): Promise<E['result']> {
  const {
    onEvent,
    onStarted,
    signal,
    timeoutSeconds,
    graceSeconds = () => 5,
    poolThreads,
    family,
    neededBytes = Infinity,
  } = options;
  signal?.throwIfAborted();
  const diary = openDiary();
  const child = fork(fileURLToPath(hostUrl), [], {
    serialization: 'advanced',
    execArgv: [...GARBAGE_FLAGS],
    // stdout would disturb what the parent prints.
    stdio: ['ignore', 'ignore', 'pipe', 'ipc', ...(diary === undefined ? [] : [diary])],
    env: {
      ...process.env,
      ...mallocEnvironment(family, AMPLE * neededBytes < process.availableMemory()),
      ...(poolThreads === undefined ? {} : { UV_THREADPOOL_SIZE: String(poolThreads) }),
    },
  });
  let [timedOut, killed] = [false, false];
  const clock = createClock();
  const waits: (() => void)[] = [];
  const kill = (): void => {
    killed = true;
    child.kill('SIGKILL');
  };
  // The child would see for itself that its parent is gone, but not while it is busy.
  process.on('exit', kill);
  const within = (limit: number, act: () => void): void => {
    if (Number.isFinite(limit)) waits.push(afterAwake(seconds(limit), clock, act));
  };
  const abort = (): void => {
    send(child, { kind: 'abort' });
    within(graceSeconds(), kill);
  };
  let answer: Exclude<FromChild, { kind: 'event' }> | undefined;
  child.on('message', (message: FromChild) => {
    if (message.kind === 'event') {
      onEvent?.(message.event);
      return;
    }
    answer = message;
    // Without a parent to talk to it ends.
    if (child.connected) child.disconnect();
    within(SECONDS_AFTER_ANSWER, kill);
  });
  const died = ended(child);
  signal?.addEventListener('abort', abort);
  if (timeoutSeconds !== undefined) {
    within(timeoutSeconds, () => {
      timedOut = true;
      abort();
    });
  }
  send(child, {
    kind: 'request',
    request: request.kind,
    args: request.args,
    diaryFile: diary === undefined ? undefined : DIARY_DESCRIPTOR,
  });
  onStarted?.((control) => send(child, { kind: 'control', control }));
  const { how, output } = await died;
  signal?.removeEventListener('abort', abort);
  process.off('exit', kill);
  waits.forEach((giveUp) => giveUp());
  const ranks = answer === undefined ? ranksAt(diary) : '';
  if (diary !== undefined) closeSync(diary);

  if (answer?.kind === 'result') return answer.result;
  const place = `device process, ${request.kind}`;
  if (timedOut) {
    throw new MeshwrightError('TIMED_OUT', { place, expected: `an end within ${timeoutSeconds} s`, got: 'none' });
  }
  if (answer?.kind === 'error') throw unpackError(answer.error);
  // What a terminal sends to parent and child ends a child that is only starting.
  if (signal?.aborted === true && (answer || killed || /killed by SIG(INT|TERM|HUP)/.test(how))) throw signal.reason;
  throw new MeshwrightError('DEVICE_FAILED', {
    place,
    expected: 'an answer',
    got: `${how}${ranks}${output ? `: ${output}` : ''}`,
    ...(how === 'killed by SIGKILL'
      ? { hint: 'systems kill processes when memory runs out: see the system’s log' }
      : {}),
  });
}

/** `, rank 0 in encoder/gelu and rank 1 in sum`: what ranks were at when their process ended. */
function ranksAt(diary: number | undefined): string {
  const all = diary === undefined ? [] : lastWhereabouts(diary).filter(({ doing }) => doing !== 'idle');
  return all.length === 0 ? '' : `, ${all.map(({ rank, what }) => `rank ${rank} in ${what}`).join(' and ')}`;
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
