/** A timeline's way from spans to pixels: whatever is thinned, merged or drawn together, no time is lost or made up. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Lane, LaneSpan } from '../../src/report/index.js';
import { decoded, visible } from '../../src/report/page/spans.js';
import type { EncodedLane, Encoding } from '../../src/report/page/spans.js';
import { eachPart } from '../../src/report/parts.js';
import { eachCategory, thin, timelineData } from '../../src/report/timeline.js';

const CATEGORIES = ['matmul', 'memory', 'data'] as const;

/** Spans one after the other, with gaps, some of them of a kernel with parts. */
const laneOf = (lengths: readonly (readonly [gap: number, length: number, category: number])[]): Lane => {
  let at = 0;
  const spans = lengths.map(([gap, length, category], index): LaneSpan => {
    const start = at + gap;
    at = start + length;
    const parts = [
      ['matmul', length * 0.5],
      ['memory', length * 0.25],
    ] as const;
    return {
      id: `op${index % 7}${category === 0 ? `-${index}` : ''}@${index}`,
      start,
      end: at,
      category: CATEGORIES[category]!,
      ...(category === 0 ? { parts } : {}),
    };
  });
  return { name: 'lane', spans };
};

const lanes = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 30 }), fc.integer({ min: 1, max: 40 }), fc.integer({ min: 0, max: 2 })), {
    minLength: 1,
    maxLength: 120,
  })
  .map(laneOf)
  .chain((lane) => fc.constantFrom<readonly Lane[]>([lane], [lane, { ...lane, isMeasured: true }]));

const endOf = (all: readonly Lane[]): number => Math.max(...all.flatMap(({ spans }) => spans.map(({ end }) => end)));

const totals = (add: (visit: (category: string, seconds: number) => void) => void): Map<string, number> => {
  const found = new Map<string, number>();
  add((category, seconds) => found.set(category, (found.get(category) ?? 0) + seconds));
  return found;
};

const ofSpans = (all: readonly Lane[]) =>
  totals((visit) => {
    for (const lane of all) for (const span of lane.spans) eachCategory(span, lane, visit);
  });

function expectSame(found: ReadonlyMap<string, number>, expected: ReadonlyMap<string, number>, within: number): void {
  expect([...found.keys()].toSorted()).toEqual([...expected.keys()].toSorted());
  for (const [category, seconds] of expected)
    expect(Math.abs(found.get(category)! - seconds), category).toBeLessThanOrEqual(within);
}

/** As the page does. */
function drawnOf(all: readonly Lane[], seconds: number, most: number, narrow: number): Map<string, number> {
  const data = timelineData(all, thin(all, seconds, most), seconds) as unknown as {
    tick: number;
    categories: { colour: string }[];
    mixes: (number[] | null)[];
    lanes: EncodedLane[];
  };
  const names = data.categories.map(({ colour }) => /^var\(--c-(.*)\)$/.exec(colour)![1]!);
  const encoding: Encoding = {
    tick: data.tick,
    mixes: data.mixes.map((mix) =>
      mix?.flatMap((value, index) => (index % 2 === 0 ? [[value, mix[index + 1]!] as const] : [])),
    ),
    contention: names.indexOf('contention'),
  };
  return totals((visit) =>
    data.lanes.forEach((lane, index) => {
      for (const { seconds: sums } of visible(decoded(lane, encoding), index, 0, seconds, narrow))
        sums.forEach((taken, category) => visit(names[category]!, taken));
    }),
  );
}

describe('a timeline', () => {
  it('keeps of every category the time it takes, thinned or not, at any width', () => {
    fc.assert(
      fc.property(lanes, fc.constantFrom(5, 20, 1000), fc.integer({ min: 1, max: 50 }), (all, most, narrow) => {
        const seconds = endOf(all);
        const spans = all.reduce((total, lane) => total + lane.spans.length, 0);
        // Both ends of a span are rounded to ticks, of which a step has ten million.
        expectSame(drawnOf(all, seconds, most, narrow), ofSpans(all), (spans + 2) * 4e-7 * seconds);
      }),
    );
  });

  it('has no more blocks than asked for, which stand for every span once and do not overlap', () => {
    fc.assert(
      fc.property(lanes, fc.integer({ min: 8, max: 60 }), (all, most) => {
        const thinned = thin(all, endOf(all), most);
        const blocks = thinned.lanes.flat();
        expect(blocks.length).toBeLessThanOrEqual(Math.max(most, 4 * all.length));
        thinned.lanes.forEach((own, index) => {
          expect(own.reduce((total, { count }) => total + count, 0)).toBe(all[index]!.spans.length);
          own.slice(1).forEach((block, before) => expect(block.start).toBeGreaterThanOrEqual(own[before]!.end));
        });
      }),
    );
  });

  it('has the beginning and the end of a long step span by span', () => {
    const lane = laneOf(Array.from({ length: 1000 }, (_, index) => [index % 3, 1 + (index % 5), 2] as const));
    const { lanes: blocks, between } = thin([lane], endOf([lane]), 200);
    const [own] = blocks as [(typeof blocks)[number]];
    expect(own.slice(0, 79).every(({ count }) => count === 1)).toBe(true);
    expect(own.slice(-29).every(({ count }) => count === 1)).toBe(true);
    expect(own.some(({ count }) => count > 10)).toBe(true);
    expect(between!.from).toBe(lane.spans[80]!.start);
    expect(between!.to).toBe(lane.spans[970]!.start);
  });

  it('draws what is seen alone: between two times nothing that ends before or starts after', () => {
    const lane = laneOf(Array.from({ length: 50 }, () => [1, 2, 1] as const));
    const data = timelineData([lane], thin([lane], 150), 150) as unknown as { tick: number; lanes: EncodedLane[] };
    const own = decoded(data.lanes[0]!, { tick: data.tick, mixes: [], contention: -1 });
    const drawn = visible(own, 0, 30, 60, 0.5);
    expect(drawn.map(({ block }) => block)).toEqual([10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
  });
});

describe("a kernel's parts", () => {
  const parts = fc.array(fc.tuple(fc.nat({ max: 5 }), fc.double({ min: 0.001, max: 10, noNaN: true })), {
    minLength: 1,
    maxLength: 4,
  });

  it('add up to its time, with what slows it down apart', () => {
    fc.assert(
      fc.property(parts, fc.double({ min: 0.001, max: 100, noNaN: true }), fc.boolean(), (of, length, isMeasured) => {
        let [sum, rest] = [0, 0];
        eachPart<number>(of, length, isMeasured ? undefined : -1, (category, time) => {
          sum += time;
          if (category === -1) rest += time;
        });
        const whole = of.reduce((total, [, time]) => total + time, 0);
        expect(sum).toBeCloseTo(length, 4);
        expect(rest).toBeCloseTo(isMeasured ? 0 : Math.max(0, length - whole), 3);
      }),
    );
  });
});
