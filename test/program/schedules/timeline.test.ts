import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Schedule, Slot, SlotKind, Timeline } from '../../../src/program/schedules/index.js';
import {
  blockingTransfers,
  createSchedule,
  gpipe,
  oneForwardOneBackward,
  placementOf,
  SCHEDULE_NAMES,
  slotTimes,
  splitBackward,
  timeline,
  virtualStage,
} from '../../../src/program/schedules/index.js';
import { cases, chunksOf, even } from './arbitrary.js';

interface Ran extends Slot {
  readonly stage: number;
  readonly virtual: number;
  readonly start: number;
  readonly end: number;
}

function all<T extends number>(line: Timeline<T>): Ran[] {
  return line.schedule.slots.flatMap((slots, stage) =>
    slots.map((slot, i) => ({
      ...slot,
      stage,
      virtual: virtualStage(line.schedule, stage, slot.chunk),
      start: line.start(stage, i),
      end: line.end(stage, i),
    })),
  );
}

const key = (what: string, virtual: number, microbatch: number) => `${what} ${virtual} ${microbatch}`;

/** Who has to have run before a slot, said here once more, by hand. */
function needs({ kind, virtual, microbatch }: Ran, last: number): string[] {
  if (kind === 'forward') return virtual > 0 ? [key('forward', virtual - 1, microbatch)] : [];
  if (kind === 'backward-weight') return [key('gradient', virtual, microbatch)];
  const next = virtual < last ? [key('gradient', virtual + 1, microbatch)] : [];
  return [key('forward', virtual, microbatch), ...next];
}

describe('a timeline', () => {
  it('starts each slot as soon as the one before it and its inputs allow, and never sooner', () => {
    fc.assert(
      fc.property(cases(), ({ schedule, times }) => {
        const ran = all(timeline(schedule, times));
        const made = new Map<string, Ran>();
        for (const slot of ran) {
          if (slot.kind === 'forward') made.set(key('forward', slot.virtual, slot.microbatch), slot);
          else if (slot.kind !== 'backward-weight') made.set(key('gradient', slot.virtual, slot.microbatch), slot);
        }
        const free = new Map<number, number>();
        for (const slot of ran) {
          const arrivals = needs(slot, schedule.stages * schedule.chunks - 1).map((name) => {
            const from = made.get(name)!;
            return from.end + (from.stage === slot.stage ? 0 : times.transfer(from.virtual, slot.virtual));
          });
          expect(slot.start).toBe(Math.max(free.get(slot.stage) ?? 0, 0, ...arrivals));
          expect(slot.end).toBe(slot.start + times.slot(slot.stage, slot.kind, slot.chunk));
          free.set(slot.stage, slot.end);
        }
      }),
    );
  });

  it('is the same to the tick whether it leaps or walks', () => {
    fc.assert(
      fc.property(cases(), ({ schedule, times }) => {
        const leapt = timeline(schedule, times);
        const walked = timeline(schedule, times, { leap: false });
        expect(all(leapt)).toEqual(all(walked));
        expect({ ...leapt, ...ignored }).toEqual({ ...walked, ...ignored });
      }),
      { numRuns: 200 },
    );
  });

  it('is so where the last microbatch takes otherwise, and stages begin one after the other', () => {
    const late = fc.record({
      of: cases(),
      more: fc.integer({ min: -3, max: 40 }),
      begin: fc.integer({ min: 0, max: 30 }),
    });
    fc.assert(
      fc.property(late, ({ of: { schedule, times }, more, begin }) => {
        const last: typeof times.slot = (...slot) => Math.max(0, times.slot(...slot) + more * (slot[0] + 1));
        const begins = (stage: number) => (schedule.stages - stage) * begin;
        const line = timeline(schedule, { ...times, last }, { begin: begins });
        expect(all(line)).toEqual(all(timeline(schedule, { ...times, last }, { begin: begins, leap: false })));
        for (const { stage, kind, chunk, microbatch, start, end } of all(line)) {
          const takes = microbatch === schedule.microbatches - 1 ? last : times.slot;
          expect(end - start).toBe(takes(stage, kind, chunk));
          expect(start).toBeGreaterThanOrEqual(begins(stage));
        }
      }),
    );
  });

  it.each(SCHEDULE_NAMES)('of a long run of %s leaps over most of it, and is the same to the tick', (name) => {
    const chunks = chunksOf(name);
    const shape = { stages: 4, chunks, placement: placementOf(name) };
    const times = slotTimes(shape, { forward: 113, backwardInput: 127, backwardWeight: 81, transfer: 4 });
    const schedule = createSchedule(name, { ...shape, microbatches: 400, times });
    const leapt = timeline(schedule, times);
    const walked = timeline(schedule, times, { leap: false });
    expect(all(leapt)).toEqual(all(walked));
    expect(walked.walkedSlots).toBe(schedule.slots.flat().length);
    expect(leapt.walkedSlots).toBeLessThan(walked.walkedSlots / 3);
  });

  it('repeats where stages differ, and every microbatch takes as long as the slowest stage', () => {
    const byStage = [10, 14, 11, 9].map((takes) => ({ ...even(takes), transfer: 1 }));
    const long = oneForwardOneBackward(4, 300);
    const line = timeline(long, slotTimes(long, byStage));
    const longer = oneForwardOneBackward(4, 301);
    expect(line.walkedSlots).toBeLessThan(200);
    expect(timeline(longer, slotTimes(longer, byStage)).stepTime - line.stepTime).toBe(3 * 14);
  });

  it('asks once for each kind of slot and each way between stages', () => {
    const schedule = splitBackward(oneForwardOneBackward(3, 20));
    const asked: string[] = [];
    timeline(schedule, {
      slot: (stage, kind, chunk) => (asked.push(`${kind} ${stage} ${chunk}`), 5),
      transfer: (from, to) => (asked.push(`${from} to ${to}`), 1),
    });
    expect(asked).toHaveLength(3 * 3 + 4);
    expect(new Set(asked).size).toBe(asked.length);
  });

  it('does not leap with fractions of a unit, whose sums depend on their order', () => {
    const schedule = gpipe(2, 50);
    const line = timeline(schedule, slotTimes(schedule, { ...even(), forward: 0.1 }));
    expect(line.walkedSlots).toBe(200);
    expect(line.stepTime).toBeCloseTo(51 * 20.1, 9);
  });
});

const ignored = { start: 0, end: 0, sender: 0, senderEnd: 0, walkedSlots: 0 };

describe('a transfer', () => {
  const times = { forward: 10, backwardInput: 10, backwardWeight: 10, transfer: 4 };
  const startOf = (schedule: Schedule, line: Timeline<number>, stage: number, kind: SlotKind, microbatch: number) =>
    line.start(
      stage,
      schedule.slots[stage]!.findIndex((slot) => slot.kind === kind && slot.microbatch === microbatch),
    );

  it('delays who waits for it, not who sends', () => {
    const schedule = gpipe(2, 3);
    const line = timeline(schedule, slotTimes(schedule, times));
    expect([0, 1, 2].map((i) => startOf(schedule, line, 0, 'forward', i))).toEqual([0, 10, 20]);
    expect([0, 1, 2].map((i) => startOf(schedule, line, 1, 'forward', i))).toEqual([14, 24, 34]);
  });

  it('delays who sends where the sender waits', () => {
    const schedule = gpipe(2, 3);
    const line = timeline(schedule, blockingTransfers(schedule, slotTimes(schedule, times)));
    expect([0, 1, 2].map((i) => startOf(schedule, line, 0, 'forward', i))).toEqual([0, 14, 28]);
    expect([0, 1, 2].map((i) => startOf(schedule, line, 1, 'forward', i))).toEqual([14, 28, 42]);
  });

  it('keeps both stages where each send and receive is waited for: a stage in the middle four times a microbatch', () => {
    const [stages, microbatches] = [4, 50];
    const schedule = oneForwardOneBackward(stages, microbatches);
    const step = (transfer: number): number =>
      timeline(schedule, blockingTransfers(schedule, slotTimes(schedule, { ...times, transfer }), 'both')).stepTime;
    const most = 4 * (microbatches + stages - 1);
    expect(step(1) - step(0)).toBeLessThanOrEqual(most);
    expect(step(1) - step(0)).toBeGreaterThanOrEqual(4 * (microbatches - 1));
    // Each transfer once where the sender alone waits: two a microbatch, as what it receives comes meanwhile.
    const sending = timeline(schedule, blockingTransfers(schedule, slotTimes(schedule, { ...times, transfer: 1 })));
    expect(sending.stepTime - step(0)).toBeLessThanOrEqual(most / 2);
  });

  it('that keeps both stages keeps them at the same time: on the way there and back it counts once a stage', () => {
    for (const stages of [2, 3, 5]) {
      const schedule = oneForwardOneBackward(stages, 1);
      const line = (transfer: number) =>
        timeline(schedule, blockingTransfers(schedule, slotTimes(schedule, { ...times, transfer }), 'both'));
      expect(line(4).stepTime - line(0).stepTime).toBe(2 * 4 * (stages - 1));
    }
  });

  it('that keeps both stages is over when the receiver has it, so no earlier than with a sender alone kept', () => {
    const schedule = oneForwardOneBackward(4, 6);
    const [sender, both] = (['sender', 'both'] as const).map((blocked) =>
      timeline(schedule, blockingTransfers(schedule, slotTimes(schedule, times), blocked)),
    ) as [Timeline<number>, Timeline<number>];
    expect(both.stepTime).toBeGreaterThan(sender.stepTime);
    // Its first slot waits for the same; what it computes begins after what it receives.
    expect(both.start(1, 0) + times.transfer).toBe(sender.start(1, 0));
  });

  it('is hidden by other work where there is some: a long pipeline takes 2c(p − 1) more for the way there and back', () => {
    const schedule = gpipe(4, 10);
    const with0 = timeline(schedule, slotTimes(schedule, { ...times, transfer: 0 }));
    const with4 = timeline(schedule, slotTimes(schedule, times));
    expect(with4.stepTime - with0.stepTime).toBe(2 * 4 * 3);
  });
});
