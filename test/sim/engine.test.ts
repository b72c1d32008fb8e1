import { describe, expect, it } from 'vitest';
import { EventQueue, Resource, ticks, toSeconds, toTicks } from '../../sim/engine/index.js';
import { seconds } from '../../src/units.js';

describe('event queue', () => {
  it('orders events by time, then priority, then order of scheduling', () => {
    const queue = new EventQueue();
    const log: string[] = [];
    const put = (name: string, time: number, priority = 0): void =>
      queue.schedule(ticks(time), () => log.push(`${queue.now} ${name}`), priority);
    put('late', 30);
    put('second of equals', 20);
    put('third of equals', 20);
    put('first by priority', 20, -1);
    put('early', 10);
    expect(queue.run()).toBe(30);
    expect(log).toEqual(['10 early', '20 first by priority', '20 second of equals', '20 third of equals', '30 late']);
  });

  it('sorts many events whatever the order of scheduling', () => {
    const queue = new EventQueue();
    const times = Array.from({ length: 500 }, (_, index) => (index * 7919) % 503);
    const seen: number[] = [];
    times.forEach((time) => queue.schedule(ticks(time), () => seen.push(time)));
    queue.run();
    expect(seen).toEqual(times.toSorted((a, b) => a - b));
  });

  it('runs what events schedule, and refuses the past', () => {
    const queue = new EventQueue();
    const log: number[] = [];
    queue.schedule(ticks(5), () => {
      log.push(queue.now);
      queue.after(ticks(3), () => log.push(queue.now));
      expect(() => queue.schedule(ticks(4), () => undefined)).toThrow(/INTERNAL at event queue/);
    });
    queue.run();
    expect(log).toEqual([5, 8]);
  });

  it('does not swallow what an event throws', () => {
    const queue = new EventQueue();
    queue.schedule(ticks(1), () => {
      throw new Error('lost');
    });
    expect(() => queue.run()).toThrow('lost');
  });
});

describe('resource', () => {
  it('serves one job at a time, first come first served', () => {
    const queue = new EventQueue();
    const resource = new Resource('r', queue);
    const log: string[] = [];
    const use = (name: string, duration: number): void =>
      resource.use(ticks(duration), (start, end) => log.push(`${name} ${start}-${end}`));
    use('a', 10);
    use('b', 5);
    queue.schedule(ticks(12), () => use('c', 1));
    queue.run();
    expect(log).toEqual(['a 0-10', 'b 10-15', 'c 15-16']);
    expect(resource.busy).toBe(16);
  });
});

it('a tick is 0.1 ns, and days of them stay exact', () => {
  expect(toTicks(seconds(1e-9))).toBe(10);
  const week = toTicks(seconds(7 * 24 * 3600));
  expect(Number.isSafeInteger(week + 1)).toBe(true);
  expect(toTicks(toSeconds(ticks(week + 1)))).toBe(week + 1);
});
