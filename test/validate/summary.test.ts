import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Prediction } from '../../src/validate/index.js';
import { countFits, errorsOf, halvesOf, summarize } from '../../src/validate/index.js';
import { bubble, computedFlops, yardstickTimes } from '../../src/validate/yardstick.js';
import { rowOf } from './rows.js';

const predictionOf = (row: ReturnType<typeof rowOf>, changes: Partial<Prediction> = {}): Prediction => ({
  id: row.id,
  set: row.set,
  stack: row.stack,
  chip: row.hardware.chip,
  model: row.model.name,
  status: 'predicted',
  measuredStepTimeSeconds: row.measured.stepTimeSeconds ?? null,
  predictedStepTimeSeconds: 0.1,
  measuredMemoryBytesPerChip: null,
  predictedMemoryBytesPerChip: 1e9,
  measuredFits: null,
  predictedFits: true,
  plan: null,
  notes: [],
  ...changes,
});

describe('errors', () => {
  it('are relative to what was measured, and keep their sign in the bias alone', () => {
    const errors = errorsOf([
      { predicted: 11, measured: 10 },
      { predicted: 14, measured: 20 },
      { predicted: 1, measured: 1 },
    ])!;
    expect(errors.mean).toBeCloseTo(0.4 / 3, 12);
    expect(errors.median).toBeCloseTo(0.1, 12);
    expect(errors.worst).toBeCloseTo(0.3, 12);
    expect(errors.bias).toBeCloseTo(-0.2 / 3, 12);
    expect(errorsOf([])).toBeNull();
  });

  it('of fits count both kinds of mistake', () => {
    const pairs: [boolean | null, boolean | null][] = [
      [true, true],
      [false, false],
      [false, true],
      [false, true],
      [true, false],
      [null, true],
      [true, null],
    ];
    expect(countFits(pairs.map(([measuredFits, predictedFits]) => ({ measuredFits, predictedFits })))).toEqual({
      count: 5,
      right: 2,
      wronglyFits: 2,
      wronglyDoesNotFit: 1,
    });
  });
});

describe('a summary', () => {
  it('has sets in the order of the file, and their mean whatever their sizes', () => {
    const rows = [rowOf({ set: 'b' }), rowOf({ set: 'a' }), rowOf({ set: 'b' }), rowOf({ set: 'b' })];
    const times = [0.11, 0.13, 0.11, 0.11];
    const predictions = rows.map((row, index) => predictionOf(row, { predictedStepTimeSeconds: times[index]! }));
    const { sets, meanOfSetMeans } = summarize(rows, predictions);
    expect(sets.map(({ set, rows: count }) => [set, count])).toEqual([
      ['b', 3],
      ['a', 1],
    ]);
    expect(meanOfSetMeans).toBeCloseTo(0.2, 12);
  });

  it('counts and keeps rows that can not be predicted', () => {
    const row = rowOf();
    const { sets, rows, meanOfSetMeans } = summarize(
      [row],
      [predictionOf(row, { status: 'unsupported', reason: 'no such chip', predictedStepTimeSeconds: null })],
    );
    expect(sets[0]).toMatchObject({ rows: 1, predicted: 0, unsupported: 1, stepTime: null });
    expect(rows[0]).toMatchObject({ status: 'unsupported', reason: 'no such chip' });
    expect(meanOfSetMeans).toBeNull();
  });
});

describe('rows that share an id', () => {
  it('are all counted and say so, those that can not be used among them', () => {
    const rows = [rowOf({ id: 'twice' }), rowOf({ id: 'once' })];
    const unusable = [{ id: 'twice', set: 'some', reason: 'no plan', measured: {} }];
    const document = summarize(
      rows,
      rows.map((row) => predictionOf(row, { notes: ['a note'] })),
      unusable,
    );
    expect(document.sets[0]).toMatchObject({ rows: 3, predicted: 2, unsupported: 1 });
    expect(document.rows.map(({ id, notes }) => [id, notes])).toEqual([
      ['twice', ['a note', '2 rows have this id']],
      ['once', ['a note']],
      ['twice', ['2 rows have this id']],
    ]);
  });
});

describe('the yardstick', () => {
  it('is exact where every run of a set has the same efficiency, whatever its pipeline', () => {
    const rows = [1, 2, 4].map((pipe) => rowOf({ plan: { pipe, data: 4 / pipe }, hardware: { chips: 8 } }));
    const measured = rows.map((row) => ({
      ...row,
      measured: { stepTimeSeconds: ((computedFlops(row) * bubble(row)) / (8 * 312e12)) * 2 },
    }));
    yardstickTimes(measured).forEach((time, index) =>
      expect(time).toBeCloseTo(measured[index]!.measured.stepTimeSeconds, 12),
    );
  });

  it("goes by other rows than its own: a set's only row has none", () => {
    expect(yardstickTimes([rowOf()])).toEqual([undefined]);
    const [, second] = [rowOf({ measured: { stepTimeSeconds: 1 } }), rowOf({ measured: { stepTimeSeconds: 3 } })];
    const times = yardstickTimes([rowOf({ measured: { stepTimeSeconds: 1 } }), second]);
    expect(times[0]).toBeCloseTo(3, 12);
    expect(times[1]).toBeCloseTo(1, 12);
  });

  it('counts layers that are computed again, and half of causal attention where a kernel leaves the rest out', () => {
    const flops = (plan: object) => computedFlops(rowOf({ plan }));
    expect(flops({ recompute: 'full' })).toBeGreaterThan(flops({ recompute: 'selective' }));
    expect(flops({ recompute: 'selective' })).toBeGreaterThan(flops({}));
    expect(flops({ attention: 'flash' })).toBeLessThan(flops({}));
  });
});

describe('halves', () => {
  const rowsOf = (layers: readonly number[]) => layers.map((count) => rowOf({ model: { layers: count } }));

  it('have no model in both, and do not depend on the order of rows', () => {
    const layers = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(layers, (counts) => {
        const of = new Map<number, string>();
        halvesOf(rowsOf(counts)).forEach((half, index) => {
          expect(of.get(counts[index]!) ?? half).toBe(half);
          of.set(counts[index]!, half);
        });
        halvesOf(rowsOf(counts.toReversed())).forEach((half, index) =>
          expect(half).toBe(of.get(counts.toReversed()[index]!)),
        );
      }),
    );
  });

  it('differ by no more than the runs of one model', () => {
    const layers = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(layers, (counts) => {
        const inA = halvesOf(rowsOf(counts)).filter((half) => half === 'a').length;
        const most = Math.max(...counts.map((count) => counts.filter((other) => other === count).length));
        expect(Math.abs(2 * inA - counts.length)).toBeLessThanOrEqual(most);
      }),
    );
  });
});
