/** What a kernel takes to move its bytes through the chip's memory, pure. */
import type { Chip } from '../../src/hardware/index.js';
import type { Bytes, Seconds } from '../../src/units.js';
import { bytes, seconds, transferTime } from '../../src/units.js';

/**
 * Of a kernel that moves little it is a large part that memory isn't busy as the kernel begins and ends. Profiles have
 * shares of the peak by size, in steps; at a step nothing takes less than what is just below it.
 */
export function memoryTime(
  moved: Bytes,
  { memoryBandwidth: { peak, achievable }, smallTransfers = [] }: Chip,
): Seconds {
  let longest = transferTime(moved, achievable);
  for (const { below, share } of smallTransfers) {
    const slowdown = Math.max(1, achievable / peak / share);
    // Sizes of this step and those above it; a smaller step reaches less, so that it is the longest of those that count.
    const atMost = bytes(Math.min(moved, below));
    if (isOfStep(moved, below, smallTransfers) || moved >= below)
      longest = seconds(Math.max(longest, transferTime(atMost, achievable) * slowdown));
  }
  return longest;
}

/** Whether a size is in a step: below its end, and not below that of a smaller one. */
const isOfStep = (moved: Bytes, below: Bytes, steps: readonly { readonly below: Bytes }[]): boolean =>
  moved < below && steps.every((other) => other.below >= below || moved >= other.below);
