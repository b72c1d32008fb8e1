/** What happened in a run beside its steps, the newest last: of bounded length, however long it is. */
import { bytes, formatBytes, formatSeconds, seconds } from '../../units.js';
import type { TrainEvent } from '../services.js';

export interface LogLine {
  /** The last step before it; 0 before the first. */
  readonly step: number;
  readonly text: string;
  /** How often it was said on end. */
  readonly times: number;
  readonly tone: 'plain' | 'good' | 'warn';
}

const MAXIMUM_LINES = 200;

const says = (step: number, text: string, tone: LogLine['tone'] = 'plain'): LogLine => ({ step, text, times: 1, tone });

/** @returns nothing of events that the screen shows otherwise */
export function lineOf(event: TrainEvent, step: number): LogLine | undefined {
  switch (event.kind) {
    case 'phase':
      return says(step, event.text);
    case 'folder':
      return says(step, `run folder ${event.path}`);
    case 'predicted': {
      const { stepTimeSeconds } = event.prediction;
      return says(step, `predicted: ${formatSeconds(seconds(stepTimeSeconds))} a step`);
    }
    case 'checkpoint': {
      const took = `${formatBytes(bytes(event.bytes))} in ${formatSeconds(seconds(event.seconds))}`;
      return says(event.step, `checkpoint ${event.path}, ${took}`, 'good');
    }
    case 'not-saved':
      return says(step, `no checkpoint: ${event.reason}`, 'warn');
    case 'paused':
      return says(event.step, event.isPaused ? 'paused' : 'going on');
    case 'skipped':
      return says(step, `skipped ${event.path}: ${event.reason}`, 'warn');
    case 'evaluated':
      return says(step, `held-out ${event.what} ${event.value} (${event.baseline})`, 'good');
    case 'step':
    case 'timeline':
      return undefined;
  }
}

/** `measuring: block 3 of 8` is further along than `measuring: block 2 of 8`, of which nobody wants to know any more. */
const headOf = ({ text, tone }: LogLine): string | undefined =>
  tone === 'plain' ? /^(.*?): /.exec(text)?.[1] : undefined;

/** The same words again are one line, and so are those of something further along. */
export function logged(log: readonly LogLine[], line: LogLine): readonly LogLine[] {
  const last = log.at(-1);
  if (last?.text === line.text) return [...log.slice(0, -1), { ...line, times: last.times + 1 }];
  const head = headOf(line);
  const isFurther = last !== undefined && head !== undefined && (headOf(last) ?? last.text) === head;
  return [...(isFurther ? log.slice(0, -1) : log), line].slice(-MAXIMUM_LINES);
}
