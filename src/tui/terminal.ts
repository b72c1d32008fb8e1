/**
 * The terminal while the UI has it: the alternate screen, painted by lines that changed, and the way back from every
 * exit. Ink lays out frames; this puts them on the screen. It is not Ink's own painter because that erases upwards from
 * the cursor, which after a resize is no longer where it was left, and clears all when a frame is as high as the screen.
 */
import { toAscii } from './look.js';

/** No more than 30 frames a second. */
export const FRAME_MILLISECONDS = Math.ceil(1000 / 30);

const CLEAR = '\u001B[0m\u001B[2J';
/**
 * Lines do not wrap: one that is wider than the screen, as those of a frame from before a resize are, would go on over
 * the lines below it, and in the last row scroll all of them away from where they are known to be.
 */
const ENTER = `\u001B[?1049h\u001B[?25l\u001B[?7l${CLEAR}\u001B[H`;
const LEAVE = '\u001B[0m\u001B[?7h\u001B[?25h\u001B[?1049l';
/** Terminals that know them show what is between in one piece; others ignore them. */
const [BEGIN, END] = ['\u001B[?2026h', '\u001B[?2026l'];

const lineAt = (row: number, line: string): string =>
  // Erased before it is written: after a full line the cursor still stands on its last column.
  `\u001B[${row + 1};1H\u001B[0m\u001B[2K${line}\u001B[0m`;

export interface Output {
  readonly rows: number;
  write(text: string): boolean;
}

/** Puts frames on the screen, at most one per frame time, of each only the lines that changed. */
export class Painter {
  readonly #output: Output;
  readonly #ascii: boolean;
  /** Lines that are on the screen; undefined where what is on it is not known. */
  #shown: readonly string[] | undefined = [];
  /** The last frame that was given, and whether it still is to be painted. */
  #frame: readonly string[] = [];
  #isDue = false;
  #timer: NodeJS.Timeout | undefined;
  #open = false;

  constructor(output: Output, options: { readonly ascii: boolean }) {
    this.#output = output;
    this.#ascii = options.ascii;
  }

  open(): void {
    this.#open = true;
    this.#output.write(ENTER);
  }

  /** Takes a whole frame, to be painted now or when the frame time is over. The last one given wins. */
  frame(text: string): void {
    if (!this.#open) return;
    this.#frame = (this.#ascii ? toAscii(text) : text).split('\n');
    this.#isDue = true;
    if (this.#timer === undefined) this.#paint();
  }

  /**
   * Paints the last frame in full on a cleared screen, whatever is on it: after a resize, or when asked. In a frame time,
   * so that a frame of the new size takes the place of the last one of the old size.
   */
  repaint(): void {
    if (!this.#open) return;
    this.#shown = undefined;
    this.#isDue = true;
    this.#timer ??= setTimeout(() => this.#paint(), FRAME_MILLISECONDS);
  }

  /** Leaves the terminal as it was; it can be opened again. Safe to call more than once, and from an exit handler. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#output.write(LEAVE);
  }

  #paint(): void {
    this.#timer = undefined;
    if (!this.#isDue || !this.#open) return;
    this.#isDue = false;
    const known = this.#shown;
    const before = known ?? [];
    const next = this.#frame.slice(0, this.#output.rows);
    const changed: string[] = known === undefined ? [CLEAR] : [];
    for (let row = 0; row < Math.max(next.length, before.length); row++) {
      if (next[row] !== before[row]) changed.push(lineAt(row, next[row] ?? ''));
    }
    this.#shown = next;
    if (changed.length > 0) this.#output.write(BEGIN + changed.join('') + END);
    this.#timer = setTimeout(() => this.#paint(), FRAME_MILLISECONDS);
  }
}

/**
 * The real stream with its writing replaced: what Ink gets, which wants a terminal to measure and listen to.
 *
 * @param onFrame called with each frame in full, as Ink writes them in debug mode
 */
export function frameStream(stream: NodeJS.WriteStream, onFrame: (text: string) => void): NodeJS.WriteStream {
  const write = (chunk: string, callback?: () => void): boolean => {
    // Empty writes are Ink's barriers.
    if (chunk !== '') onFrame(chunk);
    callback?.();
    return true;
  };
  return new Proxy(stream, {
    get(target, property) {
      if (property === 'write') return write;
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

const CONSOLE = ['log', 'info', 'warn', 'error', 'debug'] as const;

/**
 * Keeps the console's lines and what is written to standard error off the screen until released, which gives them back:
 * also what other threads write, which comes by way of this one.
 */
export function holdConsole(): () => string[] {
  const held: string[] = [];
  const write = process.stderr.write;
  process.stderr.write = (chunk: string | Uint8Array, ...rest: unknown[]): boolean => {
    held.push(String(typeof chunk === 'string' ? chunk : Buffer.from(chunk)).trimEnd());
    const told = rest.at(-1);
    if (typeof told === 'function') told();
    return true;
  };
  const original = CONSOLE.map((name) => [name, console[name]] as const);
  for (const [name] of original) console[name] = (...parts: unknown[]) => void held.push(parts.map(String).join(' '));
  return () => {
    process.stderr.write = write;
    for (const [name, method] of original) console[name] = method;
    return held.splice(0);
  };
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;

export interface ExitGuard {
  /** Whether a signal came, which takes effect soon. */
  readonly signalled: () => boolean;
  /** Takes the handlers away. */
  readonly release: () => void;
}

/**
 * Calls `restore` before the process ends in any way. When a signal asks it to, calls `windDown` too, and lets the
 * signal take effect when that is settled. A second signal takes effect at once.
 */
export function guardExits(restore: () => void, windDown: () => Promise<unknown>): ExitGuard {
  let came = false;
  const onSignal = (signal: NodeJS.Signals): void => {
    came = true;
    restore();
    release();
    const end = (): void => void process.kill(process.pid, signal);
    void windDown().then(end, end);
  };
  const release = (): void => {
    process.off('exit', restore);
    process.off('uncaughtExceptionMonitor', restore);
    for (const signal of SIGNALS) process.off(signal, onSignal);
  };
  process.on('exit', restore);
  // The monitor only looks on: Node then prints the exception, on the screen that was restored.
  process.on('uncaughtExceptionMonitor', restore);
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return { signalled: () => came, release };
}
