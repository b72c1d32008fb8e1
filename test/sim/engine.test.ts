import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EntityQueue, Fluid, fraction, ticks, toSeconds, toTicks } from '../../sim/engine/index.js';
import { seconds } from '../../src/units.js';

/** All that is left, as `time entity`, in the order in which it comes. */
function drained(queue: EntityQueue): string[] {
  const log: string[] = [];
  while (queue.advance()) {
    do {
      for (let entity = queue.take(); entity >= 0; entity = queue.take()) log.push(`${queue.now} ${entity}`);
    } while (queue.more());
  }
  return log;
}

describe('event queue', () => {
  it('gives events by time, and those of one time in the order they were put there', () => {
    const queue = new EntityQueue(5);
    [30, 20, 20, 10, 20].forEach((time, entity) => queue.push(entity, time));
    expect(drained(queue)).toEqual(['10 3', '20 1', '20 2', '20 4', '30 0']);
    expect(queue.advance()).toBe(false);
  });

  it('gives each event once at its time, but those that were taken back, however many and far apart', () => {
    const times = fc.array(fc.oneof(fc.nat(20), fc.integer({ min: 0, max: 2 ** 45 })), { maxLength: 300 });
    fc.assert(
      fc.property(times, fc.array(fc.nat(299)), (list, takenBack) => {
        const queue = new EntityQueue(list.length);
        list.forEach((time, entity) => queue.push(entity, time));
        const gone = new Set(takenBack.filter((entity) => entity < list.length));
        for (const entity of gone) queue.remove(entity);
        const left = [...list.entries()].filter(([entity]) => !gone.has(entity));
        const seen = drained(queue).map((line) => line.split(' ').map(Number) as [number, number]);
        expect(seen.map(([time]) => time)).toEqual(left.map(([, time]) => time).sort((a, b) => a - b));
        expect(new Map(seen.map(([time, entity]) => [entity, time]))).toEqual(new Map(left));
      }),
    );
  });

  it('gives what events put there while they happen, at the same time too', () => {
    const queue = new EntityQueue(3);
    queue.push(0, 5);
    expect(queue.advance()).toBe(true);
    expect([queue.take(), queue.take()]).toEqual([0, -1]);
    queue.push(1, 5);
    queue.push(2, 8);
    expect([queue.more(), queue.take(), queue.take(), queue.more()]).toEqual([true, 1, -1, false]);
    expect(drained(queue)).toEqual(['8 2']);
  });
});

describe('work at a changing rate', () => {
  it('is done when its parts add up to it, within a tick', () => {
    const parts = fc.array(fc.tuple(fc.double({ min: 0.01, max: 1, noNaN: true }), fc.nat(1000)), { minLength: 1 });
    fc.assert(
      fc.property(parts, fc.integer({ min: 1, max: 1e6 }), (changes, rest) => {
        const done = changes.reduce((sum, [rate, elapsed]) => sum + rate * elapsed, 0);
        const fluid = new Fluid(done + rest, ticks(0));
        let now = 0;
        for (const [rate, elapsed] of changes) {
          fluid.setRate(rate, ticks(now));
          now += elapsed;
        }
        fluid.setRate(1, ticks(now));
        expect(Math.abs(fluid.end - now - rest)).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('has the same part of a rate whatever the order of the sum that it comes from', () => {
    const rates = fc.array(fc.double({ min: 1e6, max: 1e12, noNaN: true }), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 64 }), fc.integer({ min: 1, max: 64 }), rates, (over, under, list) => {
        const [one, other] = [list, list.toReversed()].map((terms) => terms.reduce((sum, term) => sum + term, 0));
        const [part, whole] = [Math.min(over, under), Math.max(over, under)];
        expect(fraction((one! * part) / whole, other!)).toBe(fraction(part, whole));
        expect(Math.abs(fraction(part, whole) - part / whole)).toBeLessThan(1e-9);
      }),
    );
  });
});

it('a tick is 0.1 ns, and days of them stay exact', () => {
  expect(toTicks(seconds(1e-9))).toBe(10);
  const week = toTicks(seconds(7 * 24 * 3600));
  expect(Number.isSafeInteger(week + 1)).toBe(true);
  expect(toTicks(toSeconds(ticks(week + 1)))).toBe(week + 1);
});
