import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chipLanes, slotLanes, stageLanes } from '../../src/cli/step-lanes.js';
import type { Span } from '../../src/trace/index.js';
import { seconds } from '../../src/units.js';

const kernel = (start: number, end: number, phase: Span['phase'] = 'forward'): Span => ({
  id: `k${start}`,
  kind: 'kernel',
  name: 'kernel',
  phase,
  rank: 0,
  start: seconds(start),
  end: seconds(end),
});
const collective = (start: number, end: number, axis: 'data' | 'model' = 'data'): Span => ({
  ...kernel(start, end, 'reduce'),
  id: `c${start}`,
  kind: 'collective',
  name: 'all_reduce',
  axis,
});
const WINDOW = { from: 0, to: 8, parts: 4 };
const total = (series: readonly number[] = []): number => series.reduce((sum, share) => sum + share, 0) * 2;

describe('a chip over its step', () => {
  it('kernels are shares of each part of the time, by the pass they are of', () => {
    const [compute] = chipLanes([kernel(0, 3), kernel(3, 4, 'backward'), kernel(7, 8, 'optimizer')], WINDOW);
    expect(compute!.shares).toEqual({
      forward: [1, 0.5, 0, 0],
      backward: [0, 0.5, 0, 0],
      update: [0, 0, 0, 0.5],
    });
  });

  it('communication is hidden beside kernels, and waited for elsewhere', () => {
    const lanes = chipLanes([kernel(0, 2), collective(1, 5), kernel(3, 4), collective(6, 7, 'model')], WINDOW);
    expect(lanes.map(({ name, kind }) => `${kind} ${name}`)).toEqual([
      'compute compute',
      'communication data',
      'communication model',
    ]);
    expect(lanes[1]!.shares).toEqual({ hidden: [0.5, 0.5, 0, 0], waited: [0, 0.5, 0.5, 0] });
    expect(lanes[2]!.shares).toEqual({ waited: [0, 0, 0, 0.5] });
  });

  it('what a collective takes is hidden or waited for, whatever the kernels beside it', () => {
    const lengths = fc.array(fc.tuple(fc.integer({ min: 0, max: 4 }), fc.integer({ min: 1, max: 4 })), {
      minLength: 1,
      maxLength: 12,
    });
    const inTurns = (gaps: readonly (readonly [number, number])[]): [number, number][] => {
      let now = 0;
      return gaps.map(([gap, length]) => {
        const start = now + gap;
        return [start, (now = start + length)];
      });
    };
    fc.assert(
      fc.property(lengths, lengths, (kernels, collectives) => {
        const window = { from: 0, to: 200, parts: 100 };
        const spans = [
          ...inTurns(kernels).map(([start, end]) => kernel(start, end)),
          ...inTurns(collectives).map(([start, end]) => collective(start, end)),
        ];
        const { hidden, waited } = chipLanes(spans, window)[1]!.shares;
        const taken = collectives.reduce((sum, [, length]) => sum + length, 0);
        expect(total(hidden) + total(waited)).toBeCloseTo(taken);
      }),
    );
  });

  it('a part of the step has what the whole has there', () => {
    const spans = [kernel(0, 3), kernel(5, 8, 'backward')];
    const [part] = chipLanes(spans, { from: 2, to: 6, parts: 2 });
    expect(part!.shares).toEqual({ forward: [0.5, 0], backward: [0, 0.5] });
  });
});

describe('the stages of a pipeline', () => {
  it('wait for what they send and receive; over several axes at once, it counts once', () => {
    const [first, second] = stageLanes(
      [[kernel(0, 2), collective(2, 4), collective(3, 6, 'model')], [kernel(4, 6, 'backward')]],
      WINDOW,
    );
    expect(first).toEqual({
      name: 'stage 0',
      kind: 'compute',
      shares: { forward: [1, 0, 0, 0], waited: [0, 1, 1, 0] },
    });
    expect(second!.shares).toEqual({ backward: [0, 0, 1, 0] });
  });

  it('are drawn by their slots where there are too many kernels', () => {
    const [stage] = slotLanes(
      [
        [
          { kind: 'forward', startSeconds: 0, endSeconds: 2 },
          { kind: 'backward-weight', startSeconds: 4, endSeconds: 5 },
        ],
      ],
      WINDOW,
    );
    expect(stage!.shares).toEqual({ forward: [1, 0, 0, 0], backward: [0, 0, 0.5, 0] });
  });
});
