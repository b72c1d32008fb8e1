import fc from 'fast-check';
import type { Schedule, ScheduleName, SlotTimes, StageTimes } from '../../../src/program/schedules/index.js';
import { createSchedule, placementOf, SCHEDULE_NAMES, slotTimes } from '../../../src/program/schedules/index.js';

export type Ticks = number;

export const chunksOf = (name: ScheduleName, several = 3): number =>
  name === 'interleaved-1f1b' ? several : name === 'zb-v' ? 2 : 1;

/** All slots take the same and transfers nothing. */
export const even = (takes: Ticks = 10): StageTimes<Ticks> => ({
  forward: takes,
  backwardInput: takes,
  backwardWeight: takes,
  transfer: 0,
});

const stageTimes = (least: number): fc.Arbitrary<StageTimes<Ticks>> =>
  fc.record({
    forward: fc.integer({ min: least, max: 50 }),
    backwardInput: fc.integer({ min: least, max: 50 }),
    backwardWeight: fc.integer({ min: least, max: 50 }),
    transfer: fc.integer({ min: 0, max: 20 }),
  });

export interface Case {
  readonly schedule: Schedule;
  readonly times: SlotTimes<Ticks>;
}

/** A schedule of any name and size, with times of its own for every virtual stage or the same for all. */
export const cases = (names: readonly ScheduleName[] = SCHEDULE_NAMES, least = 0): fc.Arbitrary<Case> =>
  fc
    .record({
      name: fc.constantFrom(...names),
      stages: fc.integer({ min: 1, max: 6 }),
      microbatches: fc.integer({ min: 1, max: 24 }),
      several: fc.integer({ min: 2, max: 4 }),
      uneven: fc.boolean(),
      byVirtualStage: fc.array(stageTimes(least), { minLength: 24, maxLength: 24 }),
    })
    .map(({ name, stages, microbatches, several, uneven, byVirtualStage }) => {
      const chunks = chunksOf(name, several);
      const shape = { stages, chunks, placement: placementOf(name) };
      const times = slotTimes(shape, uneven ? byVirtualStage : byVirtualStage[0]!);
      return { schedule: createSchedule(name, { stages, microbatches, chunks, times }), times };
    });
