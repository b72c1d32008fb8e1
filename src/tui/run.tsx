/** Opens the UI in a terminal, and gives the terminal back. */
import { render } from 'ink';
import { MeshwrightError } from '../errors.js';
import { App } from './app.js';
import { detectLook } from './look.js';
import type { Services, TaskChoice } from './services.js';
import { guardStops } from '../stops.js';
import { frameStream, guardExits, holdConsole, Painter } from './terminal.js';

export interface TuiOptions {
  readonly stdin?: NodeJS.ReadStream;
  readonly stdout?: NodeJS.WriteStream;
  /** What the fields say at first. */
  readonly initial?: Partial<TaskChoice>;
}

/** How long work that was left may take to end, once the UI is closed, before anything is said. */
const SILENT_MILLISECONDS = 2000;
const WINDING_DOWN = 'ending after the step in flight; Ctrl-C ends at once';

/** The same services, and a promise for the end of all that was asked of them. */
function followed(services: Services): { readonly services: Services; readonly ended: () => Promise<unknown> } {
  const running = new Set<Promise<unknown>>();
  const follow = <Result,>(started: Promise<Result>): Promise<Result> => {
    const ended: Promise<unknown> = started.then(
      () => running.delete(ended),
      () => running.delete(ended),
    );
    running.add(ended);
    return started;
  };
  return {
    services: {
      models: services.models,
      hardware: services.hardware,
      files: () => services.files(),
      search: (...request) => follow(services.search(...request)),
      look: (...request) => follow(services.look(...request)),
      writeJob: (...request) => follow(services.writeJob(...request)),
      train: (...request) => follow(services.train(...request)),
      runs: (...request) => follow(services.runs(...request)),
      readRun: (...request) => follow(services.readRun(...request)),
      calibrate: (...request) => follow(services.calibrate(...request)),
    },
    ended: () => Promise.all(running),
  };
}

/**
 * Runs the UI until it is left. The terminal is as it was before when this settles, and on every other way out of the
 * process: a signal, an exception nobody caught, `process.exit`.
 *
 * @returns when it was left, and its work ended
 * @throws MeshwrightError USAGE where there is no terminal; else whatever was thrown while rendering
 */
export async function runTui(given: Services, options: TuiOptions = {}): Promise<void> {
  const { stdin = process.stdin, stdout = process.stdout, initial } = options;
  if (!stdin.isTTY || !stdout.isTTY) {
    throw new MeshwrightError('USAGE', {
      place: stdin.isTTY ? 'standard output' : 'standard input',
      expected: 'a terminal',
      got: 'a pipe or a file',
      hint: 'without a terminal, use a command: `meshwright --help`',
    });
  }
  const look = detectLook(process.env, process.platform);
  const { services, ended } = followed(given);
  const painter = new Painter(stdout, { ascii: !look.glyphs.braille });
  const repaint = (): void => painter.repaint();
  // A terminal that went away makes writes fail; that is no news to anybody.
  const onBroken = (): void => undefined;
  const releaseConsole = holdConsole();
  const leave = (): void => {
    painter.close();
    if (stdin.isTTY && stdin.isRaw) stdin.setRawMode(false);
  };
  const stops = guardStops(leave, () => {
    // First, since a process in the background is stopped by it, until it is in the foreground.
    stdin.setRawMode(true);
    painter.open();
    repaint();
  });
  const restore = (): void => {
    stops.release();
    leave();
    stdout.off('resize', repaint);
    process.off('SIGWINCH', repaint);
    for (const line of releaseConsole()) console.error(line);
  };

  stdout.on('error', onBroken);
  stdout.on('resize', repaint);
  // Node says nothing of a size that is as before when it looks, though the terminal was another in between, and has lost
  // what was beyond its edges.
  process.on('SIGWINCH', repaint);
  painter.open();
  const ui = render(<App services={services} look={look} initial={initial} redraw={repaint} suspend={stops.stop} />, {
    stdin,
    // Ink writes each frame in full in its debug mode: what the painter wants.
    stdout: frameStream(stdout, (frame) => painter.frame(frame)),
    debug: true,
    exitOnCtrlC: false,
  });
  const exits = guardExits(restore, () => {
    ui.unmount();
    return ended();
  });
  try {
    await ui.waitUntilExit();
  } finally {
    restore();
    const timer = setTimeout(() => console.error(WINDING_DOWN), SILENT_MILLISECONDS);
    await ended();
    clearTimeout(timer);
    // The signal ends the process: whoever called must not go on as if the UI had been left.
    if (exits.signalled()) await new Promise(() => undefined);
    exits.release();
    stdout.off('error', onBroken);
  }
}
