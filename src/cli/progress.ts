/** Progress on a terminal; nothing where there is none, or where a document is printed. */
import { Presets, SingleBar } from 'cli-progress';
import { guardStops } from '../stops.js';

export interface Progress {
  /** @param figures what is said beside it */
  advance(by?: number, figures?: string): void;
  /** How many there are by now. */
  set(value: number, figures?: string): void;
  end(): void;
}

/** @param total 0 while it is not known */
export function createProgress(what: string, quiet: boolean, total = 0): Progress {
  if (quiet || !process.stderr.isTTY) return { advance: () => undefined, set: () => undefined, end: () => undefined };
  const format = total > 0 ? `{bar} {value}/{total} ${what} {figures}` : `{value} ${what} {figures}`;
  const bar = new SingleBar(
    { format, hideCursor: true, clearOnComplete: true, fps: 10, stream: process.stderr },
    Presets.shades_classic,
  );
  let [count, beside] = [0, ''];
  const start = (): void => bar.start(total, count, { figures: beside });
  // A stopped program has no bar: the terminal, and where the cursor is, are the shell's.
  const stops = guardStops(() => bar.stop(), start);
  start();
  const set = (value: number, figures = ''): void => {
    [count, beside] = [value, figures];
    bar.update(value, { figures });
  };
  return {
    advance: (by = 1, figures = '') => set(count + by, figures),
    set,
    end: () => {
      stops.release();
      bar.stop();
    },
  };
}
