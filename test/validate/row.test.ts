import { describe, expect, it } from 'vitest';
import { parseRows } from '../../src/validate/index.js';
import { linesOf, rowOf } from './rows.js';

const parse = (text: string) => () => parseRows(text, 'runs.jsonl');

describe('a file of measured runs', () => {
  it('gives its rows in order; empty lines do not count, and unknown fields are kept', () => {
    const noted = { ...rowOf({ id: 'b' }), notes: 'from a table' };
    const { rows } = parseRows(`${linesOf([rowOf({ id: 'a' })])}\n\n  \n${linesOf([noted])}\n`, 'runs.jsonl');
    expect(rows.map(({ id }) => id)).toEqual(['a', 'b']);
    expect(rows[1]).toEqual(noted);
  });

  it('may name what is not known here: that is of the row, not of the file', () => {
    const row = rowOf({
      stack: 'my-stack',
      hardware: { chip: 'abacus' },
      plan: { precision: 'fp3', schedule: 'zig-zag' },
    });
    expect(parseRows(linesOf([row]), 'runs.jsonl')).toEqual({ rows: [row], unusable: [] });
  });

  it('goes on beside rows that lack a field or have a wrong one, and says which with its line', () => {
    const wrong = { ...rowOf({ id: 'x', set: 'theirs' }), plan: { ...rowOf().plan, data: 'four' } };
    const { family, ...rest } = rowOf({ id: 'y' }).model;
    const text = linesOf([wrong, rowOf(), { ...rowOf({ id: 'y' }), model: rest, measured: { fits: true } }]);
    const { rows, unusable } = parseRows(text, 'runs.jsonl');
    expect(family).toBe('decoder');
    expect(rows).toEqual([rowOf()]);
    expect(unusable).toEqual([
      {
        id: 'x',
        set: 'theirs',
        measured: wrong.measured,
        reason: 'RUN_INVALID at runs.jsonl:1 (plan.data): expected a whole number of at least 1, got "four"',
      },
      expect.objectContaining({
        id: 'y',
        measured: { fits: true },
        reason: expect.stringContaining(':3 (model.family)'),
      }),
    ]);
  });

  it('is refused where no row can be used, and where one has no name or set', () => {
    expect(parse(linesOf([rowOf({ measured: { stepTimeSeconds: 0 } })]))).toThrow(
      /RUN_INVALID at runs.jsonl:1 \(measured.stepTimeSeconds\)/,
    );
    expect(parse(linesOf([rowOf(), { ...rowOf(), id: undefined }]))).toThrow(/RUN_INVALID at runs.jsonl:2 \(id\)/);
  });

  it('may begin with a byte order mark and end its lines as Windows does', () => {
    const rows = [rowOf({ id: 'a' }), rowOf({ id: 'b' })];
    expect(parseRows(`\uFEFF${linesOf(rows).replace('\n', '\r\n')}\r\n`, 'runs.jsonl').rows).toEqual(rows);
  });

  it('says the line of what is no JSON, and what a file without rows lacks', () => {
    expect(parse(`${linesOf([rowOf()])}\n{"id": `)).toThrow(/RUN_INVALID at runs.jsonl:2: expected one JSON object/);
    expect(parse('\n')).toThrow(/RUN_INVALID at runs.jsonl: expected measured runs/);
    expect(parse('[]')).toThrow(/RUN_INVALID at runs.jsonl:1/);
  });
});
