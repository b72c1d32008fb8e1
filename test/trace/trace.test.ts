import { describe, expect, test } from 'vitest';
import type { TimedSpan } from '../../src/trace/index.js';
import { differencesByKind, joinSpans, spanId, summarizeSteps, typical } from '../../src/trace/index.js';
import { seconds } from '../../src/units.js';
import { span } from './span.js';

const timed = (id: string, duration: number, more: Partial<TimedSpan> = {}): TimedSpan => ({
  id,
  kind: 'kernel',
  name: 'kernel',
  phase: 'forward',
  seconds: seconds(duration),
  exposedSeconds: seconds(duration),
  ...more,
});

test('an id is completed by the iterations around the op, outermost first', () => {
  expect(spanId({ id: 'encoder/in' }, [])).toBe('encoder/in');
  expect(spanId({ id: 'encoder/in' }, [1, 3])).toBe('encoder/in@1.3');
});

describe('the summary of measured steps', () => {
  const step = (number: number, kernel: number, collective: number) => ({
    step: number,
    seconds: seconds(kernel + collective),
    spansByRank: [0, 1].map((rank) => [
      span('a', rank, 0, kernel),
      span('b', rank, kernel, kernel + collective, { kind: 'collective', name: 'all_reduce', sentBytes: 100 + rank }),
    ]),
  });

  test('adds up to the step', () => {
    const spans = summarizeSteps([step(1, 1, 0.5), step(2, 1.2, 0.3), step(3, 1.1, 0.4)]);
    expect(spans.reduce((total, one) => total + one.seconds, 0)).toBeCloseTo(1.5, 12);
  });

  test('is of the half of the steps closest to the median, so a step that something else disturbed is left out', () => {
    const steps = [1, 1.1, 1.2, 1.3, 1.45, 1.6, 40].map((kernel, index) => step(index, kernel, 0.5));
    expect(summarizeSteps(steps)[0]!.seconds).toBeCloseTo((1.1 + 1.2 + 1.3 + 1.45) / 4, 12);
    expect(typical([6, 1, 3, 100, 2], (value) => value)).toEqual([3, 2, 1]);
    expect(typical([7], (value) => value)).toEqual([7]);
  });

  test('says of a collective what no kernel hid, so that the spans add up to the time in which anything went on', () => {
    const overlapped = (number: number) => ({
      step: number,
      seconds: seconds(4),
      spansByRank: [0, 1].map((rank) => [
        span('a', rank, 0, 1),
        span('b', rank, 0.5, 3 + rank, { kind: 'collective', name: 'all_reduce' }),
      ]),
    });
    const [a, b] = summarizeSteps([overlapped(1), overlapped(2)]);
    expect([a!.seconds, a!.exposedSeconds]).toEqual([1, 1]);
    expect([b!.seconds, b!.exposedSeconds]).toEqual([3, 2.5]);
  });

  test('has the ranks send their mean', () => {
    expect(summarizeSteps([step(1, 1, 1)])[1]!.sentBytes).toBe(100.5);
  });
});

describe('the join', () => {
  test('is by id, and leaves the host out', () => {
    const joined = joinSpans(
      [timed('a', 1), timed('host', 9, { kind: 'host' })],
      [timed('a', 2), timed('inputs', 9, { kind: 'host' })],
    );
    expect(joined).toEqual([
      {
        id: 'a',
        kind: 'kernel',
        name: 'kernel',
        phase: 'forward',
        predictedSeconds: 1,
        measuredSeconds: 2,
        predictedExposedSeconds: 1,
        measuredExposedSeconds: 2,
      },
    ]);
  });

  test('refuses traces of different programs', () => {
    expect(() => joinSpans([timed('a', 1)], [timed('b', 1)])).toThrow(/RUN_INVALID at b/);
    expect(() => joinSpans([timed('a', 1), timed('b', 1)], [timed('a', 1)])).toThrow(/RUN_INVALID at b/);
    expect(() => joinSpans([timed('a', 1, { sentBytes: 10 })], [timed('a', 1, { sentBytes: 20 })])).toThrow(
      /10 bytes sent/,
    );
  });

  test('by kind adds up to the difference of the steps', () => {
    const joined = joinSpans([timed('a', 1), timed('b', 2)], [timed('a', 1.5), timed('b', 1)]);
    const kinds = differencesByKind(joined, { predictedSeconds: 4, measuredSeconds: 5 });
    const sum = (key: 'predictedSeconds' | 'measuredSeconds') => kinds.reduce((total, kind) => total + kind[key], 0);
    expect(sum('predictedSeconds')).toBeCloseTo(4, 12);
    expect(sum('measuredSeconds')).toBeCloseTo(5, 12);
    expect(kinds.map(({ kind }) => kind)).toEqual(['between spans', 'forward kernels']);
  });

  test('counts of a collective what it adds to the step: the hidden part is no difference', () => {
    const more = { kind: 'collective', name: 'all_reduce', phase: 'reduce' } as const;
    const joined = joinSpans(
      [timed('a', 3), timed('b', 1, { ...more, exposedSeconds: seconds(0) })],
      [timed('a', 3), timed('b', 4, { ...more, exposedSeconds: seconds(1) })],
    );
    expect(joined[1]).toMatchObject({ predictedSeconds: 1, measuredSeconds: 4 });
    expect(differencesByKind(joined, { predictedSeconds: 3, measuredSeconds: 4.5 })).toEqual([
      { kind: 'all_reduce (reduce)', predictedSeconds: 0, measuredSeconds: 1 },
      { kind: 'between spans', predictedSeconds: 0, measuredSeconds: 0.5 },
      { kind: 'forward kernels', predictedSeconds: 3, measuredSeconds: 3 },
    ]);
  });
});
