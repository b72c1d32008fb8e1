/** What chips cost and draw for a time, as far as their profile says. */
import type { Hardware } from '../hardware/index.js';
import type { Dollars, Joules, Seconds } from '../units.js';
import { dollars, joules } from '../units.js';

const SECONDS_PER_HOUR = 3600;

/** Null where the profile has no price or no power. */
export interface Cost {
  readonly chipHours: number;
  readonly dollars: Dollars | null;
  /** Of the chips with their memory, without hosts, network and cooling. */
  readonly energy: Joules | null;
}

/** At list prices, and at what a chip draws in training on the average, or at most where that was not measured. */
export function costOf({ price, power }: Pick<Hardware, 'price' | 'power'>, chips: number, time: Seconds): Cost {
  const chipHours = (chips * time) / SECONDS_PER_HOUR;
  const watts = power?.training ?? power?.limit;
  return {
    chipHours,
    dollars: price === undefined ? null : dollars(chipHours * price.perChipHour),
    energy: watts === undefined ? null : joules(chips * time * watts),
  };
}
