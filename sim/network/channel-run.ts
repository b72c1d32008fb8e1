/**
 * A channel of a collective under way: it goes through its rounds step by step, each step a transfer and then a latency.
 * While nothing else is on its links the steps of a round are alike, and it goes to the round's end at once; else it
 * goes step by step, beginning with where it is then.
 */
import type { Ticks } from '../engine/index.js';
import { Fluid, TICKS_PER_SECOND, addTicks, fraction, ticks, toTicks } from '../engine/index.js';
import type { CollectiveSchedule, Pattern, Round, Sharing } from './types.js';

/** A round with its times where nothing else is on its links. */
export interface TimedRound {
  readonly pattern: Pattern;
  readonly steps: number;
  /** Of a step: ticks, not rounded, and so what its transfer has to do at rate 1. */
  readonly transfer: number;
  readonly latency: Ticks;
}

/** Ticks that a transfer has its links for, not rounded. */
export const workTicks = (moved: number, rate: number, effort = 1): number =>
  effort * ((moved / rate) * TICKS_PER_SECOND);

function timeRound(round: Round): TimedRound {
  const { pattern, steps, bytes, effort } = round;
  const { latency, share, rate } = pattern.slowest(bytes);
  return {
    pattern,
    steps,
    transfer: workTicks(bytes * share, rate, effort),
    latency: toTicks(round.latency ?? latency),
  };
}

/** Rounds without steps are left out, and channels without rounds. */
export const timeChannels = ({ channels }: Pick<CollectiveSchedule, 'channels'>): TimedRound[][] =>
  channels
    .map((rounds) => rounds.filter(({ steps }) => steps > 0).map(timeRound))
    .filter((rounds) => rounds.length > 0);

/** What it does until it goes on: all that is left of the round, or a step's transfer or latency. */
type Phase = 'round' | 'transfer' | 'latency';
const PHASES = { round: 0, transfer: 1, latency: 2 } satisfies Record<Phase, number>;

export class ChannelRun {
  readonly #rounds: readonly TimedRound[];
  #index = 0;
  #phase: Phase = 'round';
  /** Steps of the round that are done, and when the next began. */
  #done = 0;
  #stepStart: Ticks;
  /** Of the phase `transfer`. */
  #transfer: Fluid;
  #contended = false;
  #next: Ticks;

  /** @param rounds not empty */
  constructor(rounds: readonly TimedRound[], now: Ticks) {
    this.#rounds = rounds;
    this.#stepStart = now;
    this.#next = now;
    this.#transfer = new Fluid(0, now);
    this.#beginStep(now);
  }

  /** When it goes on, as things are. */
  get next(): Ticks {
    return this.#next;
  }

  get pattern(): Pattern {
    return this.#rounds[this.#index]!.pattern;
  }

  /** Whether it is on its links; of those that go step by step. */
  get transferring(): boolean {
    return this.#phase === 'transfer';
  }

  /** Whether others may be on its links. Where they no longer are, it goes step by step up to the end of its step. */
  setContended(contended: boolean, now: Ticks): void {
    this.#contended = contended;
    if (!contended || this.#phase !== 'round') return;
    const { transfer, latency } = this.#rounds[this.#index]!;
    const step = Math.round(transfer) + latency;
    const steps = step === 0 ? 0 : Math.floor((now - this.#stepStart) / step);
    this.#done += steps;
    const start = addTicks(this.#stepStart, ticks(steps * step));
    const end = addTicks(start, ticks(Math.round(transfer)));
    this.#stepStart = start;
    if (now >= end) this.#beginLatency(end);
    else {
      this.#beginStep(start);
      this.#setSpeed(1, start);
    }
  }

  /** @param rate that `Sharing` gives the pattern */
  setRate(rate: number, now: Ticks): void {
    this.#setSpeed(fraction(rate, this.pattern.bottleneck.rate), now);
  }

  /**
   * Goes on, at `next`.
   *
   * @returns what it came to: another phase of the same round, another round, or the end
   */
  pass(): 'phase' | 'round' | 'end' {
    const now = this.#next;
    const { steps, latency } = this.#rounds[this.#index]!;
    if (this.#phase === 'transfer' && latency > 0) {
      this.#beginLatency(now);
      return 'phase';
    }
    this.#done = this.#phase === 'round' ? steps : this.#done + 1;
    if (this.#done < steps) {
      this.#beginStep(now);
      return 'phase';
    }
    if (++this.#index === this.#rounds.length) return 'end';
    this.#done = 0;
    this.#contended = false;
    this.#beginStep(now);
    return 'round';
  }

  leap(by: Ticks): void {
    this.#stepStart = addTicks(this.#stepStart, by);
    this.#next = addTicks(this.#next, by);
    this.#transfer.leap(by);
  }

  /** Adds what decides how it goes on, relative to the clock. */
  describe(now: Ticks, numbers: number[]): void {
    numbers.push(this.#index, this.#done, PHASES[this.#phase], this.#contended ? 1 : 0);
    numbers.push(now - this.#stepStart, this.#next - now);
    if (this.#phase === 'transfer') numbers.push(...this.#transfer.describe(now));
  }

  #setSpeed(perTick: number, now: Ticks): void {
    this.#transfer.setRate(perTick, now);
    this.#next = this.#transfer.end;
  }

  #beginStep(now: Ticks): void {
    const { steps, transfer, latency } = this.#rounds[this.#index]!;
    this.#stepStart = now;
    // What takes no tick alone takes none beside others either.
    if (this.#contended && Math.round(transfer) === 0) this.#beginLatency(now);
    else if (this.#contended) {
      this.#phase = 'transfer';
      this.#transfer = new Fluid(transfer, now);
      this.#next = now;
    } else {
      this.#phase = 'round';
      this.#next = addTicks(now, ticks((steps - this.#done) * (Math.round(transfer) + latency)));
    }
  }

  #beginLatency(now: Ticks): void {
    this.#phase = 'latency';
    this.#next = addTicks(now, this.#rounds[this.#index]!.latency);
  }
}

/**
 * Has channels that run side by side go step by step where their patterns meet.
 *
 * @returns whether the flows of those that meet are all done at once, so that a pattern is on its links as long as its
 *   slowest flow
 */
export function setContended(channels: readonly ChannelRun[], sharing: Sharing, now: Ticks): boolean {
  let even = true;
  for (const channel of channels) {
    const { pattern } = channel;
    const contended = channels.some((other) => other !== channel && sharing.overlap(pattern, other.pattern));
    if (contended) even &&= pattern.together;
    channel.setContended(contended, now);
  }
  return even;
}

/**
 * Gives all transfers of channels that go step by step the rate that they have from now on.
 *
 * @returns whether links are shared alike on every chip
 */
export function setRates(channels: readonly ChannelRun[], sharing: Sharing, now: Ticks): boolean {
  const transferring = channels.filter((channel) => channel.transferring);
  if (transferring.length === 0) return true;
  const { rates, even } = sharing.sharedRates(transferring.map(({ pattern }) => pattern));
  transferring.forEach((channel, index) => channel.setRate(rates[index]!, now));
  return even;
}
