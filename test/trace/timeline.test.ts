import fc from 'fast-check';
import { expect, it } from 'vitest';
import { timelineOfSpans } from '../../src/trace/index.js';
import { seconds } from '../../src/units.js';
import { span } from './span.js';

const of = (spans: Parameters<typeof timelineOfSpans>[0], duration: number, slots: number): string[][] => {
  const { activities, ranks } = timelineOfSpans(spans, seconds(duration), 7, slots);
  return ranks.map((cells) => cells.map((cell) => activities[cell]!));
};

it('each slot shows what takes most of it, and what nothing takes most of is a wait', () => {
  const [rank] = of(
    [
      [
        span('a', 0, 0, 4),
        span('r', 0, 4, 6, { kind: 'collective', name: 'all_reduce', axis: 'data' }),
        span('s', 0, 6, 6.4, { kind: 'host', name: 'scatter' }),
      ],
    ],
    10,
    10,
  );
  expect(rank).toEqual([...Array(4).fill('compute'), 'data', 'data', ...Array(4).fill('wait')]);
});

it('a collective beside kernels is hidden: what shows of it is what they leave', () => {
  const [rank] = of(
    [[span('a', 0, 0, 4), span('r', 0, 2, 6, { kind: 'collective', name: 'all_gather', axis: 'model' })]],
    6,
    6,
  );
  expect(rank).toEqual(['compute', 'compute', 'compute', 'compute', 'model', 'model']);
});

it('a collective over no axis goes by its own name, and each rank has a line of its own', () => {
  const [first, second] = of([[span('a', 0, 0, 2)], [span('p', 1, 0, 2, { kind: 'collective', name: 'send' })]], 2, 2);
  expect([first, second]).toEqual([
    ['compute', 'compute'],
    ['send', 'send'],
  ]);
});

it('a rank that computes without a break computes in every slot, however many there are', () => {
  const cuts = fc.array(fc.double({ min: 0.001, max: 1, noNaN: true }), { minLength: 1, maxLength: 30 });
  fc.assert(
    fc.property(cuts, fc.integer({ min: 1, max: 300 }), (lengths, slots) => {
      let at = 0;
      const spans = lengths.map((length, index) => span(`k${index}`, 0, at, (at += length)));
      expect(new Set(of([spans], at, slots)[0])).toEqual(new Set(['compute']));
    }),
  );
});
