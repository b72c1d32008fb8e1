/** The compiled CLI as a person starts it, and folders to start it in. */
import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  lstatSync,
  readlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const MAIN = join(ROOT, 'dist/src/cli/main.js');

export interface Ended {
  readonly status: number | null;
  /** Of one that a signal has ended. */
  readonly killedBy?: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Started {
  readonly ended: Promise<Ended>;
  /** To all its processes, as a terminal sends it. */
  signal(name: NodeJS.Signals): void;
  /** To the one that was started, as `kill` sends it. */
  signalAlone(name: NodeJS.Signals): void;
  /** The group that all its processes are of. */
  readonly group: number;
  /** Whether any of its processes is still there. */
  isAlive(): boolean;
}

export function startCli(args: readonly string[], cwd: string): Started {
  if (!existsSync(MAIN)) throw new Error('run `npm run build` first: this runs from dist/');
  // A process group of its own.
  const child = spawn(process.execPath, [MAIN, ...args], { cwd, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject).on('close', (status, killedBy) => resolve({ status, killedBy, stdout, stderr }));
  });
  const signal = (name: NodeJS.Signals | 0): void => void process.kill(-child.pid!, name);
  const isAlive = (): boolean => {
    try {
      signal(0);
      return true;
    } catch {
      return false;
    }
  };
  return { ended, signal, signalAlone: (name) => void child.kill(name), group: child.pid!, isAlive };
}

/** @param line arguments, separated by spaces */
export const cli = (line: string, cwd: string): Promise<Ended> =>
  startCli(line === '' ? [] : line.split(' '), cwd).ended;

/** The document that a command prints with `--json`; fails where it did not end well. */
export async function json<T>(line: string, cwd: string): Promise<T> {
  const { status, stdout, stderr } = await cli(`${line} --json`, cwd);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return JSON.parse(stdout) as T;
}

/** A new folder with these files in it, `path: text`; a path that ends in `/` is a folder. */
export function createFolder(files: Readonly<Record<string, string | Uint8Array>> = {}): string {
  const folder = mkdtempSync(join(tmpdir(), 'meshwright-cli-'));
  for (const [path, text] of Object.entries(files)) {
    const full = join(folder, path);
    mkdirSync(path.endsWith('/') ? full : dirname(full), { recursive: true });
    if (!path.endsWith('/')) writeFileSync(full, text);
  }
  return folder;
}

export const removeFolder = (folder: string): void => rmSync(folder, { recursive: true, force: true });

/** Everything in a folder: the text of files and the targets of links by path, folders with a `/` at the end. */
export function contents(folder: string): Record<string, string> {
  const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
  return Object.fromEntries(
    paths.map((path) => {
      const full = join(folder, path);
      const found = lstatSync(full);
      if (found.isSymbolicLink()) return [path, readlinkSync(full)];
      return found.isDirectory() ? [`${path}/`, ''] : [path, readFileSync(full, 'latin1')];
    }),
  );
}

export interface Refusal {
  readonly code: string;
  readonly place: string;
  /** Parts of what is expected, what was got, or the hint. */
  readonly says: readonly string[];
}

/** Exit status 2, nothing on stdout, and one line of the form that every message has. */
export function expectRefused({ status, stdout, stderr }: Ended, { code, place, says }: Refusal): void {
  expect({ status, stdout }, stderr).toEqual({ status: 2, stdout: '' });
  expect(stderr).toMatch(/^meshwright: [A-Z_]+ at [^\n]+: expected [^\n]+, got [^\n]+\n$/);
  expect(stderr).toContain(`meshwright: ${code} at ${place}: expected `);
  for (const part of says) expect(stderr).toContain(part);
}

/** A shipped hardware profile with one piece of text replaced, and the line it is in. */
export function editedProfile(name: string, before: string, after: string): { text: string; line: number } {
  const text = readFileSync(join(ROOT, `hardware-profiles/${name}.yaml`), 'utf8');
  const at = text.indexOf(before);
  if (at < 0) throw new Error(`${name}.yaml has no ${before}`);
  return { text: text.replace(before, after), line: text.slice(0, at).split('\n').length };
}
