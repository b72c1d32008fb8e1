import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Memory, Objective, Schedule, ScheduleName, SlotTimes } from '../../../src/program/schedules/index.js';
import {
  checkSchedule,
  countLimit,
  createSchedule,
  leastMemory,
  oneForwardOneBackward,
  peakActivations,
  placeOf,
  slotTimes,
  splitBackward,
  timeline,
  zeroBubble1p,
  zeroBubble2p,
  zeroBubbleH1,
  zeroBubbleH2,
  zeroBubbleV,
} from '../../../src/program/schedules/index.js';
import { cases, even } from './arbitrary.js';

const one = (stages: number) => ({ stages, chunks: 1, placement: 'interleaved' }) as const;
const v = (stages: number) => ({ stages, chunks: 2, placement: 'v' }) as const;

describe('automatic orders', () => {
  it('are valid, and stay within p microbatches a stage, or 2p with ZB-2p', () => {
    fc.assert(
      fc.property(cases(['zb-1p', 'zb-2p', 'zb-v']), ({ schedule }) => {
        checkSchedule(schedule);
        const limit = schedule.stages * (schedule.name === 'zb-1p' ? 1 : 2);
        for (const peak of peakActivations(schedule)) expect(peak).toBeLessThanOrEqual(limit);
      }),
    );
  });

  it('are never worse than 1F1B, ZB-H1 and, with twice the memory, ZB-H2, in what they are asked for', () => {
    fc.assert(
      fc.property(
        cases(['zb-1p', 'zb-2p']),
        fc.constantFrom<Objective>('span', 'step'),
        ({ schedule, times }, objective) => {
          const { name, stages, microbatches } = schedule;
          const memory = countLimit(name === 'zb-1p' ? stages : 2 * stages);
          const own = (name === 'zb-1p' ? zeroBubble1p : zeroBubble2p)(stages, microbatches, {
            times,
            memory,
            objective,
          });
          const known = [oneForwardOneBackward(stages, microbatches), zeroBubbleH1(stages, microbatches)];
          if (name === 'zb-2p') known.push(zeroBubbleH2(stages, microbatches));
          const cost = (of: Schedule) => timeline(of, times)[objective === 'span' ? 'longestSpan' : 'stepTime'];
          for (const other of known) expect(cost(own)).toBeLessThanOrEqual(cost(other));
        },
      ),
    );
  });

  it('hold to a limit in bytes, which may differ by stage', () => {
    fc.assert(
      fc.property(
        cases(['zb-1p'], 1),
        fc.array(fc.record({ whole: fc.integer({ min: 1, max: 9 }), stays: fc.nat(8) }), {
          minLength: 6,
          maxLength: 6,
        }),
        fc.integer({ min: 9, max: 60 }),
        ({ schedule: { stages, microbatches }, times }, sizes, limit) => {
          const memory: Memory<number> = {
            limit: () => limit,
            kept: (stage) => ({
              forward: sizes[stage]!.whole,
              untilWeight: Math.min(sizes[stage]!.whole, sizes[stage]!.stays),
            }),
          };
          const schedule = zeroBubble1p(stages, microbatches, { times, memory });
          checkSchedule(schedule);
          for (const peak of peakActivations(schedule, memory.kept)) expect(peak).toBeLessThanOrEqual(limit);
        },
      ),
    );
  });

  it('take the more time the less they may hold', () => {
    const times = slotTimes(one(6), { forward: 12, backwardInput: 11, backwardWeight: 8, transfer: 1 });
    const spans = [1, 2, 4, 6, 9, 12, 16].map(
      (limit) => timeline(zeroBubble2p(6, 40, { times, memory: countLimit(limit) }), times).longestSpan,
    );
    expect(spans).toEqual([...spans].sort((a, b) => b - a));
    expect(spans[0]).toBeGreaterThan(2 * spans.at(-1)!);
  });

  it('can be limited to the least that they say, and of ZB-V to no less', () => {
    fc.assert(
      fc.property(cases(['zb-1p', 'zb-2p', 'zb-v']), ({ schedule, times }) => {
        const { name, stages, microbatches, chunks } = schedule;
        const least = leastMemory(name as ScheduleName, stages, microbatches)!;
        const within = (limit: number): Schedule => {
          const memory = countLimit(limit, chunks);
          return createSchedule(name as ScheduleName, { stages, microbatches, chunks, times, memory });
        };
        for (const peak of peakActivations(within(least))) expect(peak).toBeLessThanOrEqual(least * chunks);
        if (least > 1) expect(() => within(least - 1)).toThrow(/PLAN_DOES_NOT_FIT/);
      }),
    );
  });

  it('refuse a limit below one microbatch, saying where', () => {
    const times = slotTimes(one(3), even());
    const memory: Memory<number> = { limit: () => 50, kept: () => ({ forward: 60, untilWeight: 30 }) };
    expect(() => zeroBubble1p(3, 4, { times, memory })).toThrow(/PLAN_DOES_NOT_FIT at schedule, stage 0.*60, got 50/);
    expect(() => zeroBubbleV(3, 4, { times: slotTimes(v(3), even()), memory })).toThrow(/PLAN_DOES_NOT_FIT/);
  });
});

describe('where all slots take the same', () => {
  const sizes = fc.record({ p: fc.integer({ min: 1, max: 10 }), extra: fc.nat(40) });
  const spanOf = (schedule: Schedule, times: SlotTimes<number>) => timeline(schedule, times).longestSpan;

  it('ZB-2p has no bubble from 2p − 1 microbatches on', () => {
    fc.assert(
      fc.property(sizes, ({ p, extra }) => {
        const times = slotTimes(one(p), even());
        const m = 2 * p - 1 + extra;
        expect(spanOf(zeroBubble2p(p, m, { times }), times)).toBe(30 * m);
      }),
    );
  });

  it('ZB-1p has a third of 1F1B’s', () => {
    fc.assert(
      fc.property(sizes, ({ p, extra }) => {
        const times = slotTimes(one(p), even());
        const m = p + extra;
        expect(spanOf(zeroBubble1p(p, m, { times }), times)).toBe(30 * m + 10 * (p - 1));
      }),
    );
  });

  it('ZB-V has none either, from 2p microbatches on, and holds no more than 1F1B’s first stage', () => {
    fc.assert(
      fc.property(sizes, ({ p, extra }) => {
        const times = slotTimes(v(p), even());
        const m = 2 * p + extra;
        const schedule = zeroBubbleV(p, m, { times });
        expect(spanOf(schedule, times)).toBe(2 * 30 * m);
        expect(Math.max(...peakActivations(schedule))).toBe(
          2 * Math.max(...peakActivations(oneForwardOneBackward(p, m))),
        );
      }),
    );
  });
});

it('no order beats the work of the busiest stage, nor the way of one microbatch there and back', () => {
  fc.assert(
    fc.property(cases(), ({ schedule, times }) => {
      const { stages, longestSpan, stepTime } = timeline(schedule, times);
      expect(longestSpan).toBeGreaterThanOrEqual(Math.max(...stages.map(({ busy }) => busy)));
      const back = schedule.slots[0]!.some(({ kind }) => kind === 'backward') ? 'backward' : 'backward-input';
      let way = 0;
      let before: { stage: number; virtual: number } | undefined;
      for (let virtual = 0; virtual < schedule.stages * schedule.chunks; virtual++) {
        const { stage, chunk } = placeOf(schedule, virtual);
        way += times.slot(stage, 'forward', chunk) + times.slot(stage, back, chunk);
        if (before !== undefined && before.stage !== stage) {
          way += times.transfer(before.virtual, virtual) + times.transfer(virtual, before.virtual);
        }
        before = { stage, virtual };
      }
      expect(stepTime).toBeGreaterThanOrEqual(Math.max(longestSpan, way));
    }),
  );
});

it('a schedule is made by its name, with as many chunks as it can have', () => {
  const request = { stages: 2, microbatches: 4, times: slotTimes(one(2), even()) };
  expect(createSchedule('1f1b', { ...request, chunks: 1 })).toEqual(oneForwardOneBackward(2, 4));
  expect(() => createSchedule('1f1b', { ...request, chunks: 2 })).toThrow(/PLAN_INVALID.*expected 1 for 1f1b, got 2/);
  expect(() => createSchedule('zb-v', { ...request, chunks: 3 })).toThrow(/expected 2 for zb-v/);
  expect(() => createSchedule('gpipe', { ...request, stages: 0, chunks: 1 })).toThrow(
    /schedule.stages.*at least 1, got 0/,
  );
  expect(splitBackward(createSchedule('zb-h1', { ...request, chunks: 1 })).slots).toEqual(zeroBubbleH1(2, 4).slots);
});
