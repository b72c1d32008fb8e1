/**
 * A real terminal for tests: a tmux server of its own with one shell in it. What is on the screen is read as a person
 * would see it; waiting is by looking again, never by a time.
 */
import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Why terminal tests can't run here, for the name of a skipped test; nothing where they can. */
export const noTerminal: string | undefined =
  spawnSync('tmux', ['-V']).status === 0 ? undefined : 'tmux is not installed';

/** What the shell shows when it waits for a command. */
const PROMPT = 'ready>';
const LOOK_AGAIN_MILLISECONDS = 40;

export interface TerminalOptions {
  readonly columns: number;
  readonly rows: number;
  /** Set for what runs in it, beside a plain environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

export interface TerminalModes {
  readonly alternateScreen: boolean;
  readonly cursorShown: boolean;
  /** Whether a line that is too long goes on in the next row. */
  readonly wraps: boolean;
}

export interface Terminal {
  /** Types a command line at the shell and Enter. */
  start(command: string): Promise<void>;
  /** Presses keys by tmux's names (`Enter`, `Escape`, `Down`, `C-c`, `t`); other words are typed as they are. */
  keys(...names: string[]): Promise<void>;
  /** The screen's lines, right ends trimmed. */
  capture(): Promise<string[]>;
  /** With the escape sequences of colours. */
  captureStyled(): Promise<string>;
  /**
   * Looks until the screen shows it.
   *
   * @returns the screen then
   * @throws Error with the last screen, when it is not shown in time
   */
  waitFor(text: string | RegExp, milliseconds?: number): Promise<string>;
  /** Waits for the shell to be back at its prompt, on a line of its own. */
  waitForPrompt(): Promise<string>;
  resize(columns: number, rows: number): Promise<void>;
  /** Writes to the terminal past what runs in it, as `wall` does. */
  scribble(text: string): Promise<void>;
  /** Sends a signal to what the shell runs. */
  signal(name: NodeJS.Signals): Promise<void>;
  modes(): Promise<TerminalModes>;
  close(): Promise<void>;
}

/** Opens a terminal. Close it in any case: the server outlives the test otherwise. */
export async function openTerminal({ columns, rows, env = {}, cwd }: TerminalOptions): Promise<Terminal> {
  const folder = await mkdtemp(join(tmpdir(), 'meshwright-terminal-'));
  const outer = { ...process.env, LC_ALL: 'C.UTF-8' };
  const tmux = async (...parameters: string[]): Promise<string> => {
    const { stdout } = await run('tmux', ['-u', '-S', join(folder, 'socket'), '-f', '/dev/null', ...parameters], {
      env: outer,
    });
    return stdout;
  };
  const inside = { LANG: 'C.UTF-8', PS1: `${PROMPT} `, ...env };
  // What the tests' own runner sets would otherwise reach the program.
  const cleared = ['CI', 'NO_COLOR', 'FORCE_COLOR', 'LC_ALL', 'LC_CTYPE', 'NODE_ENV', 'VITEST', 'ENV'];
  const shell = [
    'env',
    ...cleared.filter((name) => !(name in inside)).flatMap((name) => ['-u', name]),
    ...Object.entries(inside).map(([name, value]) => `${name}=${value}`),
    'sh',
  ];
  const size = ['-x', String(columns), '-y', String(rows)];
  await tmux('new-session', '-d', ...size, ...(cwd === undefined ? [] : ['-c', cwd]), '--', ...shell);

  const capture = async () => (await tmux('capture-pane', '-p')).split('\n').map((line) => line.trimEnd());
  const waitFor = async (text: string | RegExp, milliseconds = 20_000): Promise<string> => {
    const until = Date.now() + milliseconds;
    for (;;) {
      const screen = (await capture()).join('\n').trimEnd();
      if (typeof text === 'string' ? screen.includes(text) : text.test(screen)) return screen;
      if (Date.now() > until) throw new Error(`the terminal never showed ${String(text)}; it shows:\n${screen}`);
      await delay(LOOK_AGAIN_MILLISECONDS);
    }
  };
  const waitForPrompt = () => waitFor(new RegExp(`^${PROMPT}$(?!\\n)`, 'm'));
  await waitForPrompt();

  return {
    capture,
    waitFor,
    waitForPrompt,
    async start(command) {
      await tmux('send-keys', '-l', command);
      await tmux('send-keys', 'Enter');
    },
    async keys(...names) {
      await tmux('send-keys', ...names);
    },
    captureStyled: () => tmux('capture-pane', '-p', '-e'),
    async resize(newColumns, newRows) {
      await tmux('resize-window', '-x', String(newColumns), '-y', String(newRows));
    },
    async scribble(text) {
      await writeFile((await tmux('display-message', '-p', '#{pane_tty}')).trim(), text);
    },
    async signal(name) {
      const shellId = Number((await tmux('display-message', '-p', '#{pane_pid}')).trim());
      const { stdout } = await run('ps', ['-A', '-o', 'pid=,ppid=']);
      const children = stdout
        .split('\n')
        .map((line) => line.trim().split(/\s+/).map(Number))
        .filter(([, parent]) => parent === shellId);
      if (children.length === 0) throw new Error('nothing runs in the terminal');
      for (const [child] of children) process.kill(child!, name);
    },
    async modes() {
      const flags = await tmux('display-message', '-p', '#{alternate_on} #{cursor_flag} #{wrap_flag}');
      const [alternateScreen, cursorShown, wraps] = flags
        .trim()
        .split(' ')
        .map((flag) => flag === '1');
      return { alternateScreen: alternateScreen!, cursorShown: cursorShown!, wraps: wraps! };
    },
    async close() {
      // Where the shell has ended, so has its server.
      await tmux('kill-server').catch(() => undefined);
      await rm(folder, { recursive: true, force: true });
    },
  };
}
