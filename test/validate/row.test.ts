import { describe, expect, it } from 'vitest';
import { parseRows } from '../../src/validate/index.js';
import { linesOf, rowOf } from './rows.js';

const parse = (text: string) => () => parseRows(text, 'runs.jsonl');

describe('a file of measured runs', () => {
  it('gives its rows in order; empty lines do not count, and unknown fields are kept', () => {
    const noted = { ...rowOf({ id: 'b' }), notes: 'from a table' };
    const rows = parseRows(`${linesOf([rowOf({ id: 'a' })])}\n\n  \n${linesOf([noted])}\n`, 'runs.jsonl');
    expect(rows.map(({ id }) => id)).toEqual(['a', 'b']);
    expect(rows[1]).toEqual(noted);
  });

  it('may name what is not known here: that is of the row, not of the file', () => {
    const row = rowOf({
      stack: 'my-stack',
      hardware: { chip: 'abacus' },
      plan: { precision: 'fp3', schedule: 'zig-zag' },
    });
    expect(parseRows(linesOf([row]), 'runs.jsonl')).toEqual([row]);
  });

  it('says the line and the field of what is wrong', () => {
    const wrong = { ...rowOf(), plan: { ...rowOf().plan, data: 'four' } };
    expect(parse(`${linesOf([rowOf()])}\n\n${linesOf([wrong])}`)).toThrow(
      'RUN_INVALID at runs.jsonl:3 (plan.data): expected a whole number of at least 1, got "four"',
    );
    expect(parse(linesOf([rowOf({ measured: { stepTimeSeconds: 0 } })]))).toThrow(
      /RUN_INVALID at runs.jsonl:1 \(measured.stepTimeSeconds\)/,
    );
    expect(parse(linesOf([{ ...rowOf(), id: undefined }]))).toThrow(/RUN_INVALID at runs.jsonl:1 \(id\)/);
  });

  it('says the line of what is no JSON, and what a file without rows lacks', () => {
    expect(parse(`${linesOf([rowOf()])}\n{"id": `)).toThrow(/RUN_INVALID at runs.jsonl:2: expected one JSON object/);
    expect(parse('\n')).toThrow(/RUN_INVALID at runs.jsonl: expected measured runs/);
    expect(parse('[]')).toThrow(/RUN_INVALID at runs.jsonl:1/);
  });
});
