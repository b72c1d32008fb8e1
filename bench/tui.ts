/**
 * `npm run bench:tui`: how soon the UI is there, beside the least that Ink can do, bundled the same way; how soon a key press
 * is painted while a search runs on all cores; how often it paints, and what it takes of a core while nothing happens.
 * `-- --json` prints a document instead of the table. Run `npm run build` before.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { median, quantile } from 'simple-statistics';
import { packageRoot } from '../src/package-root.js';
import { Checks } from './checks.js';
import { noPty, Pty } from './tui/pty.js';

const STARTS = 15;
const PRESSES = 60;
const IDLE_SECONDS = 8;
const ESCAPE = '\u001B';
/** How the UI ends what is to be shown in one piece. */
const UPDATED = `${ESCAPE}[?2026l`;

const root = packageRoot();
const MAIN = `${process.execPath} ${join(root, 'dist/src/cli/main.js')}`;

/** Bundles the hello-world as the UI is. */
async function bundleHello(): Promise<string> {
  const { bundle } = (await import(pathToFileURL(join(root, 'rolldown.config.js')).href)) as {
    bundle: (input: string, file: string) => { output: object };
  };
  // From where it is installed: only the build needs it.
  const { rolldown } = await import('rolldown');
  const file = join(root, 'dist/bench/tui/hello.bundle.js');
  const { output, ...input } = bundle(join(root, 'dist/bench/tui/hello.js'), file);
  const made = await rolldown(input);
  await made.write(output);
  await made.close();
  return `${process.execPath} ${file}`;
}

/** In turns, so that whatever else the machine does falls on both. */
async function firstPaints(checks: Checks, folder: string): Promise<void> {
  const hello = await bundleHello();
  const cases = [
    [hello, 'hello'],
    [MAIN, 'Enter'],
  ] as const;
  const times: [number[], number[]] = [[], []];
  for (let start = 0; start <= STARTS; start++) {
    for (const [index, [command, shows]] of cases.entries()) {
      const pty = new Pty(command, folder);
      const milliseconds = await pty.painted(shows);
      await (index === 0 ? pty.ended : pty.close());
      // The first brings the files into the system's cache.
      if (start > 0) times[index]!.push(milliseconds);
    }
  }
  const [least, ours] = times.map((all) => median(all)) as [number, number];
  checks.add('first paint, Ink hello-world', least, 'ms');
  checks.add('first paint, the UI', ours, 'ms');
  checks.add('  the UI over hello-world, of medians', ours / least, '×', 1.5);
  checks.note(
    'hello-world is Ink as it comes: the UI also keeps its layout from loading fetch (src/cli/bundled-ui.ts)',
  );
  checks.add('  of the fastest of each', Math.min(...times[1]) / Math.min(...times[0]), '×');
}

/** Help is opened and closed, plans are gone through: what each press paints is waited for. */
async function presses(checks: Checks, folder: string): Promise<void> {
  const pty = new Pty(MAIN, folder);
  await pty.painted('Enter');
  // A search of every value, which takes minutes.
  for (const typed of ['vit-22b', '\t', 'tpu-v4', '\t', '1024', '\t', '65536']) {
    await pty.press(typed, UPDATED);
    await delay(50);
  }
  await pty.press('\r', /Plans/);
  await pty.press('f', /Searching/);
  await pty.painted(/data=/);
  const times: number[] = [];
  let searching = 0;
  const before = pty.repaints.length;
  const begun = performance.now();
  for (let press = 0; press < PRESSES; press++) {
    times.push(await pty.press('?', 'Words'));
    await delay(60);
    times.push(await pty.press(ESCAPE, /Searching|Found/));
    if (pty.lastPainted.includes('Searching')) searching++;
    await delay(60);
  }
  const seconds = (performance.now() - begun) / 1e3;
  const painted = pty.repaints.slice(before);
  await pty.close();
  checks.add('key press to paint, search on all cores, median', median(times), 'ms', 50);
  checks.add('  of 20, the slowest (95th percentile)', quantile(times, 0.95), 'ms', 50);
  checks.add('  the slowest', Math.max(...times), 'ms');
  checks.add('  repaints in any second, most', mostInASecond(painted), 'runs', [0, 30]);
  checks.add('  presses after which the search went on', searching / PRESSES, '×', [1, 1]);
  checks.note(`${times.length} presses in ${seconds.toFixed(1)} s`);
}

function mostInASecond(times: readonly number[]): number {
  let [from, most] = [0, 0];
  times.forEach((time, index) => {
    while (times[from]! < time - 1000) from++;
    most = Math.max(most, index - from + 1);
  });
  return most;
}

/** Where nothing happens, and where a spinner turns. */
async function idle(checks: Checks, folder: string): Promise<void> {
  const pty = new Pty(MAIN, folder);
  await pty.painted('Enter');
  // Files are looked for at first.
  await delay(4000);
  const before = pty.cpuSeconds();
  await delay(IDLE_SECONDS * 1e3);
  const used = pty.cpuSeconds() - before;
  await pty.close();
  checks.add('idle, of a core', (100 * used) / IDLE_SECONDS, '%', 10);
}

if (noPty !== undefined) throw new Error(noPty);
const folder = mkdtempSync(join(tmpdir(), 'meshwright-bench-'));
const checks = new Checks();
const load = (): string => readFileSync('/proc/loadavg', 'utf8').split(' ').slice(0, 3).join(' ');
const loadBefore = load();
try {
  await firstPaints(checks, folder);
  await presses(checks, folder);
  await idle(checks, folder);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
checks.note(`load of the machine before: ${loadBefore}, after: ${load()}`);
checks.print('terminal UI');
