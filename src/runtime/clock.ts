/** One clock for all threads of the process: `performance.now` counts from a different moment on each. */
import { seconds } from '../units.js';
import type { Seconds } from '../units.js';

export type Clock = () => Seconds;

/** A clock of the monotonic time of the machine; reading it costs as much as `performance.now`. */
export function createClock(): Clock {
  const offsetMilliseconds = Number(process.hrtime.bigint()) / 1e6 - performance.now();
  return () => seconds((offsetMilliseconds + performance.now()) / 1000);
}
