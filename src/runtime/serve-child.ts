/** The device process' side of `child.ts`: answers one request with the handler of its kind, and ends with its parent. */
import { MeshwrightError } from '../errors.js';
import type { ChildExchange, FromChild, ToChild } from './child-protocol.js';
import { messageOf, packError } from './failure.js';

/**
 * Answers a kind of request.
 *
 * @param signal aborted when the parent wants an end; a result given after that still counts
 * @param diaryFile where ranks are to write what they are at, see `Diary`
 * @param onControl gives whoever listens what the parent asks from now on
 */
export type ChildHandler<E extends ChildExchange> = (
  args: E['args'],
  emit: (event: E['event']) => void,
  signal: AbortSignal,
  diaryFile: number | undefined,
  onControl: (listener: (control: E['control']) => void) => void,
) => Promise<E['result']>;

/** `T` maps kinds of request to what they carry. */
export type ChildHandlers<T extends Record<keyof T, ChildExchange>> = { readonly [K in keyof T]: ChildHandler<T[K]> };

/** Makes this process, which `runInChild` has started, answer its parent's request. */
export function serveChild<T extends Record<keyof T, ChildExchange>>(handlers: ChildHandlers<T>): void {
  const table = new Map<string, ChildHandler<ChildExchange>>(Object.entries(handlers));
  const aborting = new AbortController();
  let onControl: (control: unknown) => void = () => undefined;
  // A terminal sends them to parent and child alike; it is for the parent to say when the child stops.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => undefined);
  // The parent is gone or wants nothing more. Exiting would wait for, or abort in, a kernel that still runs.
  process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
  process.on('message', (message: ToChild) => {
    if (message.kind === 'abort') aborting.abort();
    else if (message.kind === 'control') onControl(message.control);
    else void answer(table, message, aborting.signal, (listener) => (onControl = listener)).then(tell);
  });
}

function tell(message: FromChild): void {
  process.send?.(message);
}

async function answer(
  handlers: ReadonlyMap<string, ChildHandler<ChildExchange>>,
  { request: kind, args, diaryFile }: Extract<ToChild, { kind: 'request' }>,
  signal: AbortSignal,
  onControl: (listener: (control: unknown) => void) => void,
): Promise<FromChild> {
  const emit = (event: unknown): void => tell({ kind: 'event', event });
  try {
    const handler = handlers.get(kind);
    if (handler === undefined) {
      throw new MeshwrightError('INTERNAL', {
        place: 'device process',
        expected: `a request among ${[...handlers.keys()].join(', ')}`,
        got: kind,
      });
    }
    return { kind: 'result', result: await handler(args, emit, signal, diaryFile, onControl) };
  } catch (error) {
    if (signal.aborted && error === signal.reason) return { kind: 'aborted' };
    if (error instanceof MeshwrightError) return { kind: 'error', error: packError(error) };
    const detail = { place: `device process, ${kind}`, expected: 'an answer', got: messageOf(error) };
    return { kind: 'error', error: packError(new MeshwrightError('INTERNAL', detail, { cause: error })) };
  }
}
