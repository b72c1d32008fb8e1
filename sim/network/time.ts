/** How long patterns and schedules take where nothing else is on the links. */
import type { Seconds } from '../../src/units.js';
import { seconds } from '../../src/units.js';
import type { Ticks } from '../engine/index.js';
import { Fluid, TICKS_PER_SECOND, ticks, toTicks } from '../engine/index.js';
import type { Channel, CollectiveSchedule, Pattern, Round, Sharing } from './types.js';

export function patternSeconds(pattern: Pattern, bytes: number): Seconds {
  const { latency, share, rate } = pattern.slowest(bytes);
  return seconds(latency + (bytes * share) / rate);
}

const transferTicks = ({ pattern, bytes }: Round): Ticks => {
  const { share, rate } = pattern.slowest(bytes);
  return toTicks(seconds((bytes * share) / rate));
};
const latencyTicks = ({ pattern, bytes }: Round): Ticks => toTicks(pattern.slowest(bytes).latency);

/** One step: the transfer and the latency are each a whole number of ticks. */
export const stepTicks = (round: Round): Ticks => ticks(transferTicks(round) + latencyTicks(round));

const channelTicks = (rounds: Channel): number =>
  rounds.reduce((sum, round) => sum + round.steps * stepTicks(round), 0);

/** A channel on its way: in a step it first transfers, at a rate that others change, and then waits for the latency. */
class Progress {
  readonly #rounds: Channel;
  #round = 0;
  #step = 0;
  /** Absent in the latency after a transfer. */
  #moving: Fluid | undefined;
  #end = ticks(0);
  #period = ticks(0);

  constructor(channel: Channel) {
    this.#rounds = channel.filter(({ steps }) => steps > 0);
    this.#begin(ticks(0));
  }

  get done(): boolean {
    return this.#round === this.#rounds.length;
  }
  get pattern(): Pattern {
    return this.#rounds[this.#round]!.pattern;
  }
  get moving(): boolean {
    return this.#moving !== undefined;
  }
  /** Of the transfer, or of the latency after it. */
  get end(): Ticks {
    return this.#end;
  }

  #begin(now: Ticks): void {
    if (this.done) return;
    const round = this.#rounds[this.#round]!;
    if (this.#step === 0) this.#period = stepTicks(round);
    this.#moving = new Fluid(round.bytes * round.pattern.slowest(round.bytes).share, now);
  }

  /** @param rate for the share of the pattern's bottleneck, as `Sharing` gives it */
  setRate(rate: number, now: Ticks): void {
    const { pattern, bytes } = this.#rounds[this.#round]!;
    const { bottleneck } = pattern;
    const { share, rate: alone } = pattern.slowest(bytes);
    const shared = share === bottleneck.share ? rate : (rate / bottleneck.share) * share;
    const undisturbed = rate === bottleneck.rate;
    this.#moving!.setRate((undisturbed ? alone : Math.min(alone, shared)) / TICKS_PER_SECOND, now);
    this.#end = this.#moving!.end;
  }

  /** What comes after `end`: the latency, the next step, the next round. */
  advance(now: Ticks): void {
    const round = this.#rounds[this.#round]!;
    if (this.#moving !== undefined) {
      this.#moving = undefined;
      this.#end = ticks(now + latencyTicks(round));
      if (this.#end > now) return;
    }
    if (++this.#step === round.steps) {
      this.#step = 0;
      this.#round++;
    }
    this.#begin(now);
  }

  get #stepEnd(): number {
    return this.#moving === undefined ? this.#end : this.#end + latencyTicks(this.#rounds[this.#round]!);
  }
  /** When the round ends if nothing disturbs it. */
  get roundEnd(): number {
    return this.#stepEnd + (this.#rounds[this.#round]!.steps - 1 - this.#step) * this.#period;
  }
  /** Whole steps that end by `horizon`, undisturbed, are done at once. */
  leapTo(horizon: number): void {
    if (this.#period === 0) return;
    const steps = Math.floor((horizon - this.#stepEnd) / this.#period);
    if (steps <= 0) return;
    this.#step += steps;
    this.#moving?.leap(ticks(steps * this.#period));
    this.#end = ticks(this.#end + steps * this.#period);
  }
}

/** Channels from event to event, sharing links wherever their transfers meet. */
function playTicks(channels: readonly Channel[], sharing: Sharing): Ticks {
  const all = channels.map((channel) => new Progress(channel));
  const apart = (open: readonly Progress[]): boolean =>
    open.every((a, index) => open.slice(index + 1).every((b) => !sharing.overlap(a.pattern, b.pattern)));
  let now = ticks(0);
  for (;;) {
    const open = all.filter(({ done }) => !done);
    if (open.length === 0) return now;
    const moving = open.filter((channel) => channel.moving);
    const { rates } = sharing.sharedRates(moving.map(({ pattern }) => pattern));
    moving.forEach((channel, index) => channel.setRate(rates[index]!, now));
    if (apart(open)) {
      const horizon = Math.min(...open.map(({ roundEnd }) => roundEnd));
      for (const channel of open) channel.leapTo(horizon);
    }
    now = ticks(Math.min(...open.map(({ end }) => end)));
    for (const channel of open) if (channel.end === now) channel.advance(now);
  }
}

/** Where nothing else is on the links: all channels from the same moment on, sharing the links that they share. */
export function timeAlone({ channels }: Pick<CollectiveSchedule, 'channels'>, sharing: Sharing): Ticks {
  if (channels.length === 1) return ticks(channelTicks(channels[0]!));
  return playTicks(channels, sharing);
}
