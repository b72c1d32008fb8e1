/** A channel under way: whether it is looked at step by step or not, and what shared links change. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Pattern, TimedRound } from '../../sim/network/index.js';
import { ChannelRun } from '../../sim/network/index.js';
import type { Ticks } from '../../sim/engine/index.js';
import { ticks } from '../../sim/engine/index.js';

const pattern = { bottleneck: { rate: 1 } } as Pattern;
const rounds: fc.Arbitrary<TimedRound[]> = fc.array(
  fc.record({
    pattern: fc.constant(pattern),
    steps: fc.integer({ min: 1, max: 9 }),
    transfer: fc.double({ min: 0, max: 50, noNaN: true }),
    latency: fc.integer({ min: 0, max: 20 }).map(ticks),
  }),
  { minLength: 1, maxLength: 4 },
);
const total = (all: readonly TimedRound[]): number =>
  all.reduce((sum, { steps, transfer, latency }) => sum + steps * (Math.round(transfer) + latency), 0);

/** Runs a channel alone, but tells it at some times that others share its links, or no longer do, at the same rate. */
function end(
  all: readonly TimedRound[],
  changes: readonly { readonly at: number; readonly contended: boolean }[],
): Ticks {
  const start = ticks(1000);
  const channel = new ChannelRun(all, start);
  const left = changes.map(({ at, contended }) => ({ at: ticks(start + at), contended }));
  left.sort((a, b) => a.at - b.at);
  for (;;) {
    if (left.length > 0 && left[0]!.at < channel.next) {
      const { at, contended } = left.shift()!;
      channel.setContended(contended, at);
      if (channel.transferring) channel.setRate(1, at);
      continue;
    }
    const now = channel.next;
    if (channel.pass() === 'end') return ticks(now - start);
    if (channel.transferring) channel.setRate(1, now);
  }
}

describe('a channel', () => {
  it('takes the steps of its rounds, one after the other, from wherever it goes step by step', () => {
    const changes = fc.array(fc.record({ at: fc.integer({ min: 0, max: 2000 }), contended: fc.boolean() }));
    fc.assert(
      fc.property(rounds, changes, (all, when) => {
        expect(end(all, [])).toBe(total(all));
        expect(end(all, when)).toBe(total(all));
      }),
      { numRuns: 2000 },
    );
  });

  it('whose transfers get a part of the rate takes as much longer, and as long for its latencies', () => {
    const all = [{ pattern, steps: 5, transfer: 40, latency: ticks(7) }];
    const channel = new ChannelRun(all, ticks(0));
    channel.setContended(true, ticks(0));
    channel.setRate(0.25, ticks(0));
    while (channel.pass() !== 'end') if (channel.transferring) channel.setRate(0.25, channel.next);
    expect(channel.next).toBe(5 * (4 * 40 + 7));
  });

  it('goes on where it is when others come: in the middle of a transfer', () => {
    const channel = new ChannelRun([{ pattern, steps: 3, transfer: 40, latency: ticks(10) }], ticks(0));
    // The second step has done 20 of 40; half of the rate from there on, and for the third.
    channel.setContended(true, ticks(70));
    expect(channel.transferring).toBe(true);
    channel.setRate(0.5, ticks(70));
    expect(channel.next).toBe(110);
    expect(channel.pass()).toBe('phase');
    expect(channel.transferring).toBe(false);
    expect(channel.next).toBe(120);
  });

  it('goes on where it is when others come: between a transfer and its arrival', () => {
    const channel = new ChannelRun([{ pattern, steps: 3, transfer: 40, latency: ticks(10) }], ticks(0));
    channel.setContended(true, ticks(95));
    expect(channel.transferring).toBe(false);
    expect(channel.next).toBe(100);
  });
});
