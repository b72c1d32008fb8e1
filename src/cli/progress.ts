/** Progress on a terminal; nothing where there is none, or where a document is printed. */
import { Presets, SingleBar } from 'cli-progress';

export interface Progress {
  /** @param figures what is said beside it */
  advance(by?: number, figures?: string): void;
  /** How many there are by now. */
  set(value: number, figures?: string): void;
  end(): void;
}

/** Of xterm: a cursor that is seen, and lines that go on in the next one; and neither. */
const USUAL = '\x1b[?25h\x1b[?7h';
const WITH_A_BAR = '\x1b[?25l\x1b[?7l';

/** What a bar changes of the terminal is as usual while the process is stopped (Ctrl-Z). @returns ends that */
function asUsualWhileStopped(): () => void {
  const goOn = (): void => {
    process.on('SIGTSTP', stop);
    process.stderr.write(WITH_A_BAR);
  };
  const stop = (): void => {
    process.stderr.write(`${USUAL}\n`);
    process.once('SIGCONT', goOn);
    // Without a handler the system stops it; or doesn't, where nobody could have it go on.
    process.off('SIGTSTP', stop);
    process.kill(process.pid, 'SIGTSTP');
  };
  process.on('SIGTSTP', stop);
  return () => {
    process.off('SIGTSTP', stop);
    process.off('SIGCONT', goOn);
  };
}

/** @param total 0 while it is not known */
export function createProgress(what: string, quiet: boolean, total = 0): Progress {
  if (quiet || !process.stderr.isTTY) return { advance: () => undefined, set: () => undefined, end: () => undefined };
  const format = total > 0 ? `{bar} {value}/{total} ${what} {figures}` : `{value} ${what} {figures}`;
  const bar = new SingleBar(
    { format, hideCursor: true, clearOnComplete: true, fps: 10, stream: process.stderr },
    Presets.shades_classic,
  );
  bar.start(total, 0, { figures: '' });
  const endBar = asUsualWhileStopped();
  return {
    advance: (by = 1, figures = '') => bar.increment(by, { figures }),
    set: (value, figures = '') => bar.update(value, { figures }),
    end: () => {
      endBar();
      bar.stop();
    },
  };
}
