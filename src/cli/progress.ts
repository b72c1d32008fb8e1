/** Progress on a terminal; nothing where there is none, or where a document is printed. */
import { Presets, SingleBar } from 'cli-progress';

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
  bar.start(total, 0, { figures: '' });
  return {
    advance: (by = 1, figures = '') => bar.increment(by, { figures }),
    set: (value, figures = '') => bar.update(value, { figures }),
    end: () => bar.stop(),
  };
}
