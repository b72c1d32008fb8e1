/** What a collective moves in and out of a chip and its memory, by the algorithm that does it. */
import type { Bytes } from '../../src/units.js';
import { bytes } from '../../src/units.js';
import type { CollectiveSchedule } from './types.js';

/** Of a chip, on the average where they differ. */
export interface ChipTraffic {
  readonly sentBytes: Bytes;
  /**
   * What is sent is read and what arrives is written; what is to be added to something there is read once more with it,
   * and the sum written.
   */
  readonly memoryBytes: Bytes;
}

export function chipTraffic({ channels }: Pick<CollectiveSchedule, 'channels'>): ChipTraffic {
  let [sentBytes, memoryBytes] = [0, 0];
  for (const { pattern, steps, bytes: moved, summed } of channels.flat()) {
    const { sent, got } = pattern.chipShares;
    sentBytes += steps * moved * sent;
    memoryBytes += steps * moved * (sent + got * (1 + 2 * summed));
  }
  return { sentBytes: bytes(sentBytes), memoryBytes: bytes(memoryBytes) };
}
