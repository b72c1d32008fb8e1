/** How long patterns and schedules take where nothing else is on the links. */
import type { Seconds } from '../../src/units.js';
import { seconds } from '../../src/units.js';
import type { Ticks } from '../engine/index.js';
import { ticks, toTicks } from '../engine/index.js';
import type { CollectiveSchedule, Pattern, Round } from './types.js';

export function patternSeconds(pattern: Pattern, bytes: number): Seconds {
  const { latency, share, rate } = pattern.slowest(bytes);
  return seconds(latency + (bytes * share) / rate);
}

/** One step: the transfer and the latency are each a whole number of ticks. */
export function stepTicks({ pattern, bytes }: Round): Ticks {
  const { latency, share, rate } = pattern.slowest(bytes);
  return ticks(toTicks(seconds((bytes * share) / rate)) + toTicks(latency));
}

/** Channels are taken to share no links. */
export function scheduleTicks({ channels }: CollectiveSchedule): Ticks {
  const total = (rounds: readonly Round[]) => rounds.reduce((sum, round) => sum + round.steps * stepTicks(round), 0);
  return ticks(Math.max(0, ...channels.map(total)));
}
