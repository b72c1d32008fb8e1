/** The choice among algorithms: the fastest, of which only those are worked out that may be. */
import type { OfferedAlgorithms } from '../../src/hardware/index.js';
import { TICKS_PER_SECOND } from '../engine/index.js';
import type { Algorithm, GroupCollective, Option, Pick } from './algorithm.js';
import { leastSeconds } from './least.js';
import { patternSeconds, timeAlone } from './time.js';
import type { Channel, Sharing } from './types.js';

/** Of those that can do it, what the library has; all where that does not apply. */
export function allowed(
  algorithms: readonly Algorithm[],
  collective: GroupCollective,
  offered: OfferedAlgorithms | undefined,
): readonly Algorithm[] {
  const able = algorithms.filter(({ collectives }) => collectives.includes(collective));
  const had = able.filter(({ name }) => offered?.[collective]?.includes(name));
  return had.length > 0 ? had : able;
}

function createPick(
  offered: OfferedAlgorithms | undefined,
  seconds: Pick['seconds'],
  fastest: (options: readonly Option[], pick: Pick) => readonly Channel[],
): Pick {
  const pick: Pick = {
    seconds,
    fastest: (options) => fastest(options, pick),
    among: (algorithms, collective, heldBytes) => {
      const options = allowed(algorithms, collective, offered).map(
        ({ channels }): Option =>
          (inner) =>
            channels(collective, heldBytes, inner),
      );
      return fastest(options, pick);
    },
  };
  return pick;
}

/** Ticks that channels surely take side by side: as long as they take on the average. */
function leastTicks(channels: readonly Channel[]): number {
  let total = 0;
  for (const rounds of channels) {
    for (const { pattern, steps, bytes } of rounds) {
      // The transfer and the latency of a step are each rounded to a tick.
      const step = leastSeconds(pattern, bytes) * TICKS_PER_SECOND - 1;
      if (step > 0) total += steps * step;
    }
  }
  return total / channels.length;
}

interface Timed {
  readonly channels: readonly Channel[];
  readonly time: number;
  readonly index: number;
}

const isFaster = (a: Timed, b: Timed | undefined): boolean =>
  b === undefined || a.time < b.time || (a.time === b.time && a.index < b.index);

/** Chooses what surely takes the least. */
const pickLeast = (offered: OfferedAlgorithms | undefined): Pick =>
  createPick(offered, leastSeconds, (options, pick) => {
    let best: Timed | undefined;
    options.forEach((option, index) => {
      const channels = option(pick);
      const found = { channels, time: leastTicks(channels), index };
      if (isFaster(found, best)) best = found;
    });
    return best!.channels;
  });

/** Chooses what is fastest where nothing else is on the links. */
export function pickFastest(sharing: Sharing, offered: OfferedAlgorithms | undefined): Pick {
  const cheap = pickLeast(offered);
  return createPick(offered, patternSeconds, (options, pick) => {
    if (options.length === 1) return options[0]!(pick);
    const inOrder = options
      .map((option, index) => ({ option, index, least: leastTicks(option(cheap)) }))
      .sort((a, b) => a.least - b.least);
    let best: Timed | undefined;
    for (const { option, index, least } of inOrder) {
      if (best !== undefined && least > best.time) break;
      const channels = option(pick);
      const found = { channels, time: timeAlone({ channels }, sharing), index };
      if (isFaster(found, best)) best = found;
    }
    return best!.channels;
  });
}
