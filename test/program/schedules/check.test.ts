import { describe, expect, it } from 'vitest';
import type { Schedule, Slot } from '../../../src/program/schedules/index.js';
import { checkSchedule, oneForwardOneBackward } from '../../../src/program/schedules/index.js';

const good = oneForwardOneBackward(2, 3);
const withStage = (stage: number, change: (slots: Slot[]) => Slot[]): Schedule => ({
  ...good,
  slots: good.slots.map((slots, at) => (at === stage ? change([...slots]) : slots)),
});

describe('a schedule is refused', () => {
  it('that lacks a slot', () => {
    const schedule = withStage(1, (slots) => slots.slice(0, -1));
    expect(() => checkSchedule(schedule)).toThrow(
      'PROGRAM_INVALID at schedule 1f1b: expected a slot that makes the input-gradient of microbatch 2, chunk 0, stage 1, got none',
    );
  });

  it('that has a slot twice', () => {
    const schedule = withStage(0, (slots) => [...slots, slots[0]!]);
    expect(() => checkSchedule(schedule)).toThrow('got forward of microbatch 0, chunk 0, stage 0 again');
  });

  it('that does the weight gradient alone beside a whole backward', () => {
    const schedule = withStage(0, (slots) => [...slots, { kind: 'backward-weight', chunk: 0, microbatch: 1 }]);
    expect(() => checkSchedule(schedule)).toThrow('got backward-weight of microbatch 1, chunk 0, stage 0 again');
  });

  it('with a chunk or microbatch that there isn’t', () => {
    const slot: Slot = { kind: 'forward', chunk: 1, microbatch: 0 };
    expect(() => checkSchedule(withStage(0, (slots) => [...slots, slot]))).toThrow(
      'expected chunks below 1 and microbatches below 3, got forward of microbatch 0, chunk 1, stage 0',
    );
  });

  it('in which a slot comes before its own input', () => {
    const schedule = withStage(1, ([first, second, ...rest]) => [second!, first!, ...rest]);
    expect(() => checkSchedule(schedule)).toThrow(/no stages wait for each other/);
  });

  it('in which two stages wait for each other, naming both', () => {
    // Stage 0 wants the gradient of microbatch 0 before it sends microbatch 1, stage 1 both forwards first.
    const stuck: Schedule = {
      ...oneForwardOneBackward(2, 2),
      slots: [
        ['forward 0', 'backward 0', 'forward 1', 'backward 1'],
        ['forward 0', 'forward 1', 'backward 0', 'backward 1'],
      ].map((slots) =>
        slots.map((text) => {
          const [kind, microbatch] = text.split(' ');
          return { kind: kind as 'forward' | 'backward', chunk: 0, microbatch: Number(microbatch) };
        }),
      ),
    };
    expect(() => checkSchedule(stuck)).toThrow(
      /backward of microbatch 0, chunk 0, stage 0, waits for backward of microbatch 0, chunk 0, stage 1/,
    );
  });

  it('with fewer lists than stages, or a V of other than two chunks', () => {
    expect(() => checkSchedule({ ...good, slots: good.slots.slice(1) })).toThrow('expected 2 lists of slots');
    expect(() => checkSchedule({ ...good, placement: 'v' })).toThrow('two chunks');
  });
});
