import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SpanKind } from '../../src/trace/index.js';
import { exposedCommunication, exposedTimes } from '../../src/trace/index.js';
import { seconds } from '../../src/units.js';

const span = (kind: SpanKind, start: number, end: number) => ({ kind, start: seconds(start), end: seconds(end) });

describe('exposed time', () => {
  it('of a collective is what it takes while no kernel and not the host works', () => {
    const spans = [span('host', 0, 1), span('collective', 0, 9), span('kernel', 2, 4), span('kernel', 4, 7)];
    expect(exposedTimes(spans)).toEqual([1, 1 + 2, 2, 3]);
  });

  it('of several collectives at once is that of the one which began first', () => {
    const spans = [span('collective', 3, 8), span('collective', 1, 5), span('kernel', 6, 7)];
    expect(exposedTimes(spans)).toEqual([1 + 1, 4, 1]);
  });

  it('of one that a kernel covers is none', () => {
    expect(exposedTimes([span('kernel', 0, 5), span('collective', 0, 5)])).toEqual([5, 0]);
  });

  it('is, moment by moment, that of the kernel at work, or else of the oldest collective', () => {
    const length = fc.integer({ min: 0, max: 6 });
    const kernels = fc
      .array(fc.record({ gap: length, took: fc.integer({ min: 1, max: 6 }) }), { maxLength: 6 })
      .map((list) => {
        let now = 0;
        return list.map(({ gap, took }) => {
          const start = now + gap;
          return span('kernel', start, (now = start + took));
        });
      });
    // No two begin at once: which of them is the older one would be a matter of their order.
    const collectives = fc
      .uniqueArray(fc.record({ start: fc.integer({ min: 0, max: 30 }), took: length }), {
        selector: ({ start }) => start,
        maxLength: 6,
      })
      .map((list) => list.map(({ start, took }) => span('collective', start, start + took)));
    fc.assert(
      fc.property(kernels, collectives, fc.infiniteStream(fc.nat()), (working, moving, random) => {
        const spans = [...working, ...moving]
          .map((one) => ({ one, order: random.next().value }))
          .sort((a, b) => a.order - b.order)
          .map(({ one }) => one);
        const expected = spans.map(() => 0);
        for (let moment = 0; moment < 80; moment++) {
          const during = spans.filter(({ start, end }) => start <= moment && end > moment);
          const [oldest] = during.filter(({ kind }) => kind === 'collective').sort((a, b) => a.start - b.start);
          const adds = during.find(({ kind }) => kind === 'kernel') ?? oldest;
          if (adds !== undefined) expected[spans.indexOf(adds)]! += 1;
        }
        expect(exposedTimes(spans)).toEqual(expected);
      }),
    );
  });
});

describe('exposed communication of a step', () => {
  it('is what no kernel hides of all collectives of a rank: the mean, and the worst', () => {
    const step = [
      [span('kernel', 0, 4), span('collective', 2, 6), span('collective', 5, 7)],
      [span('kernel', 0, 7), span('collective', 2, 6)],
    ];
    expect(exposedCommunication(step)).toEqual({
      exposedCommunicationSeconds: 1.5,
      worstExposedCommunicationSeconds: 3,
    });
  });
});
