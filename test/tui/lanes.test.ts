import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { laneColumns, laneSeconds, shownLanes } from '../../src/tui/components/lanes.js';
import type { TimelineLane } from '../../src/tui/services.js';

const LETTERS = { forward: 'F', backward: 'B', update: 'U', waited: 'W', hidden: 'H' } as const;
const drawn = (shares: TimelineLane['shares'], columns: number): string =>
  laneColumns({ shares }, columns)
    .map((activity) => (activity === undefined ? '.' : LETTERS[activity]))
    .join('');

describe('a lane as one glyph a column', () => {
  it('shows what goes on in each, and nothing where it is idle', () => {
    expect(drawn({ forward: [1, 1, 0, 0, 0], backward: [0, 0, 1, 1, 0] }, 5)).toBe('FFBB.');
    expect(drawn({}, 3)).toBe('...');
  });

  it('shows what alternates faster than columns do in proportion', () => {
    const third = Array.from({ length: 60 }, () => 1 / 3);
    const twoThirds = third.map((share) => 2 * share);
    const text = drawn({ forward: third, backward: twoThirds }, 30);
    expect(text.match(/F/g)).toHaveLength(10);
    expect(text.match(/B/g)).toHaveLength(20);
    expect(text).not.toMatch(/BBB|FF/);
  });

  it('never shows something where there is none of it', () => {
    const series = fc.array(fc.constantFrom(0, 0.25, 0.5), { minLength: 24, maxLength: 24 });
    fc.assert(
      fc.property(series, series, fc.constantFrom(6, 8, 12, 24), (forward, backward, columns) => {
        const each = 24 / columns;
        const has = (of: readonly number[], column: number): boolean =>
          of.slice(column * each, (column + 1) * each).some((share) => share > 0);
        return laneColumns({ shares: { forward, backward } }, columns).every(
          (activity, column) => activity === undefined || has(activity === 'forward' ? forward : backward, column),
        );
      }),
    );
  });

  it('and says how long something takes', () => {
    expect(laneSeconds({ shares: { waited: [0, 0.5, 0.5, 0] } }, 'waited', 8)).toBe(2);
    expect(laneSeconds({ shares: {} }, 'waited', 8)).toBe(0);
  });
});

describe('lanes where there are rows for few', () => {
  const lane = (name: string, kind: TimelineLane['kind'] = 'compute'): TimelineLane => ({ name, kind, shares: {} });
  const stages = Array.from({ length: 8 }, (_, stage) => lane(`stage ${stage}`));
  const names = (lanes: readonly TimelineLane[]): string[] => lanes.map(({ name }) => name);

  it('the first and the last stage are among them', () => {
    expect(names(shownLanes(stages, 3))).toEqual(['stage 0', 'stage 4', 'stage 7']);
    expect(shownLanes(stages, 12)).toEqual(stages);
  });

  it('communication is, beside the chip that it is of', () => {
    const lanes = [lane('compute'), lane('data', 'communication'), lane('model', 'communication')];
    expect(names(shownLanes(lanes, 3))).toEqual(['compute', 'data', 'model']);
  });
});
