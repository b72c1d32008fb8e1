/**
 * Published runs are predicted no worse than they were: a set's mean error is at most a point above what
 * `published/errors.json` keeps, which `npm run docs:accuracy` writes anew.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { predictRows } from '../../src/cli/validate-task.js';
import { summarize } from '../../src/validate/index.js';
import { PUBLICATIONS, rowsOf } from './published/index.js';

/** One percentage point. */
const WORSE = 0.01;

const kept = JSON.parse(readFileSync(new URL('./published/errors.json', import.meta.url), 'utf8')) as Record<
  string,
  { readonly mean: number; readonly fitsRight?: number }
>;

describe('published runs', () => {
  it.each(PUBLICATIONS)('$set: $source', (publication) => {
    const rows = rowsOf(publication);
    const predicted = predictRows({ rows, without: [] });
    expect(predicted.flatMap(({ id, reason }) => (reason === undefined ? [] : [`${id}: ${reason}`]))).toEqual([]);
    const { stepTime, fits } = summarize(rows, predicted).sets[0]!;
    const before = kept[publication.set]!;
    expect(stepTime!.mean).toBeLessThanOrEqual(before.mean + WORSE);
    expect(fits?.right ?? 0).toBeGreaterThanOrEqual(before.fitsRight ?? 0);
  });
});
