/** How long patterns and schedules take where nothing else is on the links. */
import type { Seconds } from '../../src/units.js';
import { seconds } from '../../src/units.js';
import type { Ticks } from '../engine/index.js';
import { ticks, toTicks } from '../engine/index.js';
import { ChannelRun, setContended, setRates, timeChannels, workTicks } from './channel-run.js';
import type { Channel, CollectiveSchedule, Pattern, Round, Sharing } from './types.js';

export function patternSeconds(pattern: Pattern, bytes: number): Seconds {
  const { latency, share, rate } = pattern.slowest(bytes);
  return seconds(latency + (bytes * share) / rate);
}

const transferTicks = ({ pattern, bytes, effort }: Round): Ticks => {
  const { share, rate } = pattern.slowest(bytes);
  return ticks(Math.round(workTicks(bytes * share, rate, effort)));
};
const latencyTicks = ({ pattern, bytes, latency }: Round): Ticks => toTicks(latency ?? pattern.slowest(bytes).latency);

/** One step: the transfer and the latency are each a whole number of ticks. */
const stepTicks = (round: Round): Ticks => ticks(transferTicks(round) + latencyTicks(round));

const channelTicks = (rounds: Channel): number =>
  rounds.reduce((sum, round) => sum + round.steps * stepTicks(round), 0);

/** Channels from event to event, sharing links wherever their transfers meet. */
function playTicks(schedule: Pick<CollectiveSchedule, 'channels'>, sharing: Sharing): Ticks {
  let now = ticks(0);
  let running = timeChannels(schedule).map((rounds) => new ChannelRun(rounds, now));
  while (running.length > 0) {
    setContended(running, sharing, now);
    setRates(running, sharing, now);
    now = ticks(Math.min(...running.map(({ next }) => next)));
    running = running.filter((channel) => channel.next > now || channel.pass() !== 'end');
  }
  return now;
}

const known = new WeakMap<readonly Channel[], Ticks>();

/** Where nothing else is on the links: all channels from the same moment on, sharing the links that they share. */
export function timeAlone({ channels }: Pick<CollectiveSchedule, 'channels'>, sharing: Sharing): Ticks {
  let found = known.get(channels);
  if (found === undefined) {
    found = channels.length === 1 ? ticks(channelTicks(channels[0]!)) : playTicks({ channels }, sharing);
    known.set(channels, found);
  }
  return found;
}
