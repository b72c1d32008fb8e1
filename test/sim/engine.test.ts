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

describe('leaping', () => {
  it('moves the clock and what is left to do, and keeps their order', () => {
    const queue = new EventQueue();
    const log: string[] = [];
    const put = (name: string, time: number): void =>
      queue.schedule(ticks(time), () => log.push(`${queue.now} ${name}`));
    put('done before', 5);
    put('first', 20);
    put('second', 20);
    queue.runUntil(ticks(5));
    expect(log).toEqual(['5 done before']);
    queue.leap(ticks(100));
    expect(queue.now).toBe(105);
    expect(queue.upcoming().map(({ delay }) => delay)).toEqual([15, 15]);
    queue.run();
    expect(log).toEqual(['5 done before', '120 first', '120 second']);
  });
});

describe('resource', () => {
  it('serves one job at a time in the order they are asked for, none before its earliest time', () => {
    const queue = new EventQueue();
    const resource = new Resource(queue);
    const log: string[] = [];
    const use = (name: string, duration: number, earliest = 0): number => {
      const note = (what: string) => () => void log.push(`${queue.now} ${name} ${what}`);
      return resource.use(ticks(earliest), ticks(duration), note('begins'), note('ends'));
    };
    expect(use('a', 10)).toBe(10);
    expect(use('b', 5, 12)).toBe(17);
    queue.schedule(ticks(13), () => expect(use('c', 1)).toBe(18));
    queue.run();
    expect(log).toEqual(['0 a begins', '10 a ends', '12 b begins', '17 b ends', '17 c begins', '18 c ends']);
    expect(resource.freeAt).toBe(18);
  });
});

it('a tick is 0.1 ns, and days of them stay exact', () => {
  expect(toTicks(seconds(1e-9))).toBe(10);
  const week = toTicks(seconds(7 * 24 * 3600));
  expect(Number.isSafeInteger(week + 1)).toBe(true);
  expect(toTicks(toSeconds(ticks(week + 1)))).toBe(week + 1);
});
