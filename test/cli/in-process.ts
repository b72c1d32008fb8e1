/** The compiled CLI in this process, a fraction of a start of its own: for what one command after another prints. */
import { expect } from 'vitest';
import type * as CommandLine from '../../src/cli/command-line.js';
import type { Ended } from './support.js';

const compiled = new URL('../../dist/src/cli/command-line.js', import.meta.url).href;

/** Since the folder and the output are the process's, one at a time. */
let last: Promise<unknown> = Promise.resolve();

async function run(args: readonly string[], cwd: string): Promise<Ended> {
  const { runCommandLine } = (await import(compiled)) as typeof CommandLine;
  const before = process.cwd();
  const [out, error] = [process.stdout.write, process.stderr.write];
  let [stdout, stderr] = ['', ''];
  process.chdir(cwd);
  process.stdout.write = (text: string | Uint8Array) => (stdout += String(text)) !== '';
  process.stderr.write = (text: string | Uint8Array) => (stderr += String(text)) !== '';
  try {
    return { status: await runCommandLine(args), stdout, stderr };
  } finally {
    process.stdout.write = out;
    process.stderr.write = error;
    process.chdir(before);
  }
}

/** @param line arguments, separated by spaces, or these */
export function cli(line: string | readonly string[], cwd: string): Promise<Ended> {
  const args = typeof line !== 'string' ? line : line === '' ? [] : line.split(' ');
  const ended = last.then(() => run(args, cwd));
  last = ended.catch(() => undefined);
  return ended;
}

/** The document that a command prints with `--json`; fails where it did not end well. */
export async function json<T>(line: string, cwd: string): Promise<T> {
  const { status, stdout, stderr } = await cli(`${line} --json`, cwd);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return JSON.parse(stdout) as T;
}
