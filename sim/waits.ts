/**
 * What chips wait for each other where they should meet. No two take quite the same time for the same work, and more
 * ranks than cores are not there at once: the others wait for the last. It is what a machine was measured to wait with all
 * of its ranks, and of a smaller group as much less as the last of fewer is earlier.
 */
import { probit } from 'simple-statistics';
import type { Seconds } from '../src/units.js';
import { seconds } from '../src/units.js';
import type { Waits } from './machine/index.js';

/** By how many standard deviations the last of so many is behind their mean, if they are normal (Blom 1958). */
const lateness = (ranks: number): number => (ranks < 2 ? 0 : probit((ranks - 0.375) / (ranks + 0.25)));

/**
 * @param chips of the machine
 * @param computing that a step does in all, and how often chips meet in it. From one meeting to the next it is taken to be
 *   the same, which adds up to the same over the step
 * @returns what each of a group of so many waits in a meeting, on the average
 */
export const waitsBetween =
  ({ start, share }: Waits, chips: number, computing: Seconds, meetings: number) =>
  (ranks: number): Seconds =>
    seconds((start + (share * computing) / meetings) * (lateness(ranks) / lateness(chips)));
