import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  checkSchedule,
  gpipe,
  interleaved,
  oneForwardOneBackward,
  peakActivations,
  placeOf,
  slotTimes,
  splitBackward,
  timeline,
  virtualStage,
  zeroBubbleH1,
  zeroBubbleH2,
} from '../../../src/program/schedules/index.js';
import type { Schedule, StageTimes } from '../../../src/program/schedules/index.js';
import { even } from './arbitrary.js';

const counts = fc.record({ p: fc.integer({ min: 1, max: 12 }), m: fc.integer({ min: 1, max: 40 }) });
const slotTicks = fc.record({
  forward: fc.integer({ min: 1, max: 50 }),
  backwardInput: fc.integer({ min: 1, max: 50 }),
  backwardWeight: fc.integer({ min: 1, max: 50 }),
  transfer: fc.constant(0),
});

const run = (schedule: Schedule, times: StageTimes<number>) => timeline(schedule, slotTimes(schedule, times));
const sumOf = ({ forward, backwardInput, backwardWeight }: StageTimes<number>) =>
  forward + backwardInput + backwardWeight;

describe('the bubble, where stages are even and transfers take no time', () => {
  it.each([
    ['GPipe', gpipe],
    ['1F1B', oneForwardOneBackward],
  ])('of %s is (p − 1) / (m + p − 1)', (_, order) => {
    fc.assert(
      fc.property(counts, slotTicks, ({ p, m }, times) => {
        const { bubble, stepTime } = run(order(p, m), times);
        expect(bubble).toBeCloseTo((p - 1) / (m + p - 1), 12);
        expect(stepTime).toBe((m + p - 1) * sumOf(times));
      }),
    );
  });

  it('of 1F1B over v chunks is (p − 1) / (v·m + p − 1), where p divides m', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 2, max: 4 }),
        slotTicks,
        (p, groups, v, times) => {
          const m = groups * p;
          expect(run(interleaved(p, m, v), times).bubble).toBeCloseTo((p - 1) / (v * m + p - 1), 12);
        },
      ),
    );
  });

  it('of ZB-H1 is (p − 1)(F + B − W) on top of the work, where weight gradients take the least', () => {
    fc.assert(
      fc.property(counts, slotTicks, ({ p, m }, { forward, backwardInput, ...rest }) => {
        const backwardWeight = Math.min(forward, backwardInput, rest.backwardWeight);
        const times = { ...rest, forward, backwardInput, backwardWeight };
        fc.pre(m >= 2 * p);
        const span = m * sumOf(times) + (p - 1) * (forward + backwardInput - backwardWeight);
        expect(run(zeroBubbleH1(p, m), times).longestSpan).toBe(span);
      }),
    );
  });

  it('of ZB-H2 is none where all slots take the same: stages start and end one after the other', () => {
    fc.assert(
      fc.property(counts, ({ p, m }) => {
        fc.pre(m >= 2 * p - 1);
        const { longestSpan, stepTime } = run(zeroBubbleH2(p, m), even());
        expect(longestSpan).toBe(3 * 10 * m);
        expect(stepTime).toBe(3 * 10 * m + 10 * (p - 1));
      }),
    );
  });
});

describe('the most microbatches that a stage holds', () => {
  const stages = (p: number) => Array.from({ length: p }, (_, stage) => stage);

  it('is all with GPipe, as many as stages from here on with 1F1B, p with ZB-H1, 2p − 1 with ZB-H2', () => {
    fc.assert(
      fc.property(counts, ({ p, m }) => {
        expect(peakActivations(gpipe(p, m))).toEqual(stages(p).map(() => m));
        expect(peakActivations(oneForwardOneBackward(p, m))).toEqual(stages(p).map((s) => Math.min(m, p - s)));
        expect(peakActivations(zeroBubbleH1(p, m))).toEqual(stages(p).map(() => Math.min(m, p)));
        expect(peakActivations(zeroBubbleH2(p, m))).toEqual(stages(p).map(() => Math.min(m, 2 * p - 1)));
      }),
    );
  });

  it('is 2(p − 1 − s) + (v − 1)p + 1 chunks with v chunks, or all of the one group', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 2, max: 4 }),
        (p, groups, v) => {
          const m = groups * p;
          const held = (s: number) => (groups === 1 ? m * v : 2 * (p - 1 - s) + (v - 1) * p + 1);
          expect(peakActivations(interleaved(p, m, v))).toEqual(stages(p).map(held));
        },
      ),
    );
  });

  it('can be given in bytes, of which some stay until the weight gradient', () => {
    const kept = () => ({ forward: 100, untilWeight: 30 });
    // Stage 1's weight gradients come one microbatch late: it holds one whole and what stays of another.
    expect(peakActivations(zeroBubbleH1(2, 6), kept)).toEqual([200, 130]);
    expect(peakActivations(splitBackward(oneForwardOneBackward(2, 6)), kept)).toEqual([200, 100]);
  });
});

describe('orders', () => {
  it('are valid for any counts', () => {
    fc.assert(
      fc.property(counts, fc.integer({ min: 2, max: 4 }), ({ p, m }, v) => {
        for (const order of [gpipe, oneForwardOneBackward, zeroBubbleH1, zeroBubbleH2]) checkSchedule(order(p, m));
        checkSchedule(interleaved(p, m, v));
        checkSchedule(splitBackward(interleaved(p, m, v)));
      }),
    );
  });

  it('take the microbatches of each chunk in ascending order', () => {
    for (const schedule of [gpipe(3, 7), oneForwardOneBackward(3, 7), interleaved(3, 7, 2), zeroBubbleH2(3, 7)]) {
      for (const slots of schedule.slots) {
        for (const { kind, chunk, microbatch } of slots) {
          const same = slots.filter((slot) => slot.kind === kind && slot.chunk === chunk);
          expect(same[microbatch]!.microbatch).toBe(microbatch);
        }
      }
    }
  });

  it('with a backward in halves are never slower, since gradients leave earlier', () => {
    fc.assert(
      fc.property(counts, slotTicks, fc.integer({ min: 0, max: 20 }), ({ p, m }, ticks, transfer) => {
        const times = { ...ticks, transfer };
        const whole = run(oneForwardOneBackward(p, m), times);
        const halves = run(splitBackward(oneForwardOneBackward(p, m)), times);
        expect(halves.stepTime).toBeLessThanOrEqual(whole.stepTime);
      }),
    );
  });
});

it('a virtual stage lies where its place says', () => {
  const shapes = [
    { stages: 4, chunks: 3, placement: 'interleaved' },
    { stages: 4, chunks: 2, placement: 'v' },
  ] as const;
  for (const shape of shapes) {
    for (let virtual = 0; virtual < shape.stages * shape.chunks; virtual++) {
      const { stage, chunk } = placeOf(shape, virtual);
      expect(virtualStage(shape, stage, chunk)).toBe(virtual);
    }
  }
  expect(placeOf(shapes[1], 4)).toEqual({ stage: 3, chunk: 1 });
  expect(placeOf(shapes[1], 7)).toEqual({ stage: 0, chunk: 1 });
});
