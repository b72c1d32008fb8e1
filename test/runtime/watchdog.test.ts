/** Who is said to hang, by what ranks say of themselves at successive looks. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Watchdog } from '../../src/runtime/watchdog.js';
import { createWhereabouts, Diary, readWhereabouts } from '../../src/runtime/whereabouts.js';

const PATIENCE = { seconds: 6, times: 3 };

function ranks(count: number) {
  const memory = createWhereabouts(count);
  const diaries = Array.from({ length: count }, (_, rank) => new Diary(memory, rank));
  const watchdog = new Watchdog(PATIENCE);
  const busy = new Set(diaries.keys());
  /** Looks once a second. @returns after how many somebody was said to hang, and who */
  const watch = (seconds: number, meanwhile: (second: number) => void = () => undefined) => {
    for (let second = 1; second <= seconds; second++) {
      meanwhile(second);
      const verdict = watchdog.look(readWhereabouts(memory), busy, 1);
      if (verdict !== undefined) return { second, ...verdict };
    }
    return undefined;
  };
  watch(1);
  return { diaries, busy, watch };
}

describe('a rank', () => {
  it('hangs in a kernel that takes longer than three times what it took before and six seconds', () => {
    const { diaries, watch } = ranks(2);
    diaries[0]!.kernel('layer/gelu@3', 1, true);
    diaries[1]!.waits({ opId: 'sum', awaited: 'rank 0 to send' });
    watch(1);
    const verdict = watch(60);
    expect(verdict).toMatchObject({ second: 10, rank: 0, place: 'rank 0, layer/gelu@3' });
    expect(verdict!.expected).toBe('the kernel to end within 9 s, having taken 1 s at most before');
    expect(verdict!.got).toBe('none in 10 s; rank 1 waits in sum for rank 0 to send');
  });

  it('that is slow is waited for: a guess counts once, what it took before three times', () => {
    for (const [isKnown, seconds] of [
      [false, 106],
      [true, 306],
    ] as const) {
      const { diaries, watch } = ranks(1);
      diaries[0]!.kernel('slow', 100, isKnown);
      watch(1);
      expect(watch(seconds)).toBeUndefined();
      expect(watch(1)).toMatchObject({ rank: 0 });
    }
  });

  it('that gets on from kernel to kernel never hangs, however slow its peer', () => {
    const { diaries, watch } = ranks(2);
    diaries[1]!.waits({ opId: 'sum', awaited: 'rank 0 to send' });
    expect(watch(500, (second) => second % 5 === 0 && diaries[0]!.kernel('k', 0.001, true))).toBeUndefined();
  });

  it('that looks again and again for what it waits for makes no progress, and one whose bytes move does', () => {
    const { diaries, watch } = ranks(2);
    const wait = (): void =>
      diaries.forEach((diary, rank) => diary.waits({ opId: 'sum', awaited: `rank ${1 - rank} to send` }));
    const moving = (): void => {
      diaries[0]!.goesOn();
      wait();
    };
    expect(watch(100, moving)).toBeUndefined();
    expect(watch(100, wait)).toMatchObject({
      rank: 0,
      place: 'rank 0, sum',
      expected: 'rank 1 to send within 6 s',
      got: 'nothing; rank 1 waits in sum for rank 0 to send',
    });
  });

  it('that is done while another waits for it leaves the other to be named, with whom it waits for', () => {
    const { diaries, busy, watch } = ranks(2);
    diaries[1]!.idle();
    busy.delete(1);
    diaries[0]!.waits({ opId: 'sum', awaited: 'rank 1 to send' });
    expect(watch(20)).toMatchObject({
      place: 'rank 0, sum',
      expected: 'rank 1 to send within 6 s',
      got: 'nothing; rank 1 is done',
    });
  });

  it('that does not begin what it was asked for hangs; one that was asked for nothing does not', () => {
    const { diaries, busy, watch } = ranks(2);
    diaries.forEach((diary) => diary.idle());
    busy.delete(0);
    expect(watch(20)).toMatchObject({ rank: 1, expected: expect.stringMatching(/to begin within 6 s/) });
  });

  it('may take a minute to start', () => {
    const { watch } = ranks(1);
    expect(watch(64)).toBeUndefined();
    expect(watch(10)).toMatchObject({ place: 'rank 0, its start' });
  });
});

it('what a diary says is read as it was written, however long', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z/+@.0-9]{0,600}$/), fc.double({ min: 0, noNaN: true }), (what, seconds) => {
      const memory = createWhereabouts(2);
      new Diary(memory, 1).kernel(what, seconds, true);
      const [first, second] = readWhereabouts(memory);
      expect(first).toMatchObject({ doing: 'works', what: 'its start' });
      expect(second).toMatchObject({ rank: 1, doing: 'kernel', expectedSeconds: seconds, isKnown: true });
      expect(what.startsWith(second!.what)).toBe(true);
      expect(second!.what.length).toBe(Math.min(what.length, 488));
    }),
  );
});
