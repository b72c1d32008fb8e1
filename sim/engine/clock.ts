/**
 * Simulated time: an integer count of 0.1 ns held in a double (exact up to 2⁵³ ticks, ten days). Durations are rounded
 * once, when a kernel or a flow ends, so that sums don't depend on the order in which they are taken.
 */
import type { Seconds } from '../../src/units.js';
import { seconds } from '../../src/units.js';

declare const tick: unique symbol;
export type Ticks = number & { readonly [tick]: 'tick' };

export const TICKS_PER_SECOND = 1e10;

export const ticks = (count: number): Ticks => count as Ticks;
export const toTicks = (duration: Seconds): Ticks => Math.round(duration * TICKS_PER_SECOND) as Ticks;
export const toSeconds = (time: Ticks): Seconds => seconds(time / TICKS_PER_SECOND);
export const addTicks = (a: Ticks, b: Ticks): Ticks => (a + b) as Ticks;
