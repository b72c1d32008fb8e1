/** A program in a pseudo-terminal of 80×24, by `script` of util-linux: keys go in, what it paints comes out, timed. */
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** Why there is no pseudo-terminal here; nothing where there is one. */
export const noPty: string | undefined = /util-linux/.test(
  spawnSync('script', ['--version'], { encoding: 'utf8' }).stdout ?? '',
)
  ? undefined
  : 'script of util-linux is not installed';

const LEAST_KEPT = 1 << 16;

export class Pty {
  readonly #process: ChildProcess;
  readonly #begun = performance.now();
  /** What was painted since the last wait ended. */
  #painted = '';
  #look: () => void = () => undefined;
  /** When each synchronized update began, in milliseconds. */
  readonly repaints: number[] = [];
  readonly #ended: Promise<void>;

  constructor(command: string, cwd: string, env: Readonly<Record<string, string>> = {}) {
    this.#process = spawn('script', ['-qefc', `stty cols 80 rows 24; exec ${command}`, '/dev/null'], {
      cwd,
      env: { ...process.env, TERM: 'xterm-256color', LANG: 'C.UTF-8', LC_ALL: 'C.UTF-8', ...env },
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    this.#ended = new Promise((resolve) => this.#process.on('exit', () => resolve()));
    this.#process.stdout!.setEncoding('utf8').on('data', (text: string) => {
      for (const _ of text.matchAll(/\u001B\[\?2026h/g)) this.repaints.push(performance.now());
      this.#painted = (this.#painted + text).slice(-LEAST_KEPT);
      this.#look();
    });
  }

  /** Milliseconds from the start, or the last press, to when this is painted. */
  async painted(text: string | RegExp, since = this.#begun): Promise<number> {
    const shows = (): boolean => (typeof text === 'string' ? this.#painted.includes(text) : text.test(this.#painted));
    await new Promise<void>((resolve, reject) => {
      const died = (): void =>
        reject(new Error(`it ended before it painted ${String(text)}: ${this.#painted.slice(-2000)}`));
      void this.#ended.then(died);
      this.#look = () => {
        if (!shows()) return;
        this.#look = () => undefined;
        resolve();
      };
      this.#look();
    });
    return performance.now() - since;
  }

  /** Presses keys and waits for what they paint. @returns milliseconds from one to the other */
  async press(keys: string, text: string | RegExp): Promise<number> {
    this.#painted = '';
    const since = performance.now();
    this.#process.stdin!.write(keys);
    return this.painted(text, since);
  }

  /** What was painted since the last press. */
  get lastPainted(): string {
    return this.#painted;
  }

  /** Of all processes in the terminal and their threads so far, in seconds; of Linux alone. */
  cpuSeconds(): number {
    const stats = readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .flatMap((id) => {
        try {
          const [, rest] = /\) (.*)$/s.exec(readFileSync(`/proc/${id}/stat`, 'utf8'))!;
          const fields = rest!.split(' ');
          return [{ id: Number(id), parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) }];
        } catch {
          return [];
        }
      });
    const within = new Set([this.#process.pid!]);
    // Children have larger ids than their parents, but for when ids begin anew: three generations are all there are.
    for (let generation = 0; generation < 3; generation++)
      for (const { id, parent } of stats) if (within.has(parent)) within.add(id);
    const ticks = stats
      .filter(({ id }) => within.has(id) && id !== this.#process.pid)
      .reduce((sum, one) => sum + one.ticks, 0);
    return ticks / TICKS_PER_SECOND;
  }

  async close(): Promise<void> {
    this.#process.stdin!.end('\u0003');
    await this.#ended;
  }

  get ended(): Promise<void> {
    return this.#ended;
  }
}

/** The unit of `/proc`, which is 100 on every Linux that Node runs on; `getconf CLK_TCK` says it. */
const TICKS_PER_SECOND = Number(spawnSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }).stdout) || 100;
