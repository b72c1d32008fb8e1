/**
 * Time as far as a process was running: not while it was stopped (Ctrl-Z, a container that is paused) or its machine slept.
 * Nobody tells a process of that; a thread that looks at the clock regularly knows by the looks that it missed.
 */
import type { Seconds } from '../units.js';
import { seconds } from '../units.js';
import type { Clock } from './clock.js';

/** How often a thread that keeps this time is to look. */
export const LOOK_MILLISECONDS = 200;

/** A longer pause between two looks was the process' own. */
const LONGEST_PAUSE_SECONDS = (2 * LOOK_MILLISECONDS) / 1e3;

/** In shared memory, as doubles: what was missed so far, and when the last look was, on the clock of all threads. */
const MISSED = 0;
const LAST_LOOK = 1;

const missedSince = (lastLook: number, now: number): number => Math.max(0, now - lastLook - LONGEST_PAUSE_SECONDS);

/** The thread that looks. */
export class AwakeTime {
  /** For `awakeClock`, on any thread. */
  readonly memory = new SharedArrayBuffer(2 * Float64Array.BYTES_PER_ELEMENT);
  readonly #words = new Float64Array(this.memory);
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#words[LAST_LOOK] = clock();
  }

  /** @returns what passed since the last look */
  look(): Seconds {
    const [now, lastLook] = [this.#clock(), this.#words[LAST_LOOK]!];
    const missed = missedSince(lastLook, now);
    // Whoever reads the new look reads what it missed as well.
    this.#words[MISSED]! += missed;
    this.#words[LAST_LOOK] = now;
    return seconds(now - lastLook - missed);
  }
}

/**
 * A clock that stands still while the process does.
 *
 * @param memory of the thread that looks, see `AwakeTime`
 * @param clock the same as its
 */
export function awakeClock(memory: SharedArrayBuffer, clock: Clock): Clock {
  const words = new Float64Array(memory);
  return () => {
    const [lastLook, missed, now] = [words[LAST_LOOK]!, words[MISSED]!, clock()];
    return seconds(now - missed - missedSince(lastLook, now));
  };
}

/**
 * Acts once a time has passed, as `setTimeout` does, in which this process was running.
 *
 * @returns gives it up
 */
export function afterAwake(wanted: Seconds, clock: Clock, act: () => void): () => void {
  const time = new AwakeTime(clock);
  let left: number = wanted;
  let timer: NodeJS.Timeout;
  const wait = (): void => {
    timer = setTimeout(
      () => {
        left -= time.look();
        if (left > 0) wait();
        else act();
      },
      Math.min(1e3 * left, LOOK_MILLISECONDS),
    );
  };
  wait();
  return () => clearTimeout(timer);
}
