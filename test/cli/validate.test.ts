import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import type { ValidationDocument } from '../../src/validate/index.js';
import { linesOf, rowOf } from '../validate/rows.js';
import { cli, createFolder, json, removeFolder } from './support.js';

const made: string[] = [];
afterEach(() => made.splice(0).forEach(removeFolder));

/** More rows than a thread is given at once; the second can't be predicted. */
const ROWS = [
  ...[1, 2, 3, 4].map((layers) => rowOf({ id: `run ${layers}`, model: { layers } })),
  rowOf({ id: 'abacus', set: 'other', hardware: { chip: 'abacus' } }),
  rowOf({ id: 'fits', set: 'third', measured: { fits: true, memoryBytesPerChip: 4e9 } }),
];

function folderOf(rows: readonly unknown[]): string {
  const folder = createFolder({ 'runs.jsonl': linesOf(rows) });
  made.push(folder);
  return folder;
}

it('predicts runs on several threads, in the order of the file', async () => {
  const folder = folderOf(ROWS);
  const document = await json<ValidationDocument>('validate --runs runs.jsonl', folder);
  expect(document.schema).toBe('meshwright/validation@1');
  expect(document.rows.map(({ id }) => id)).toEqual(ROWS.map(({ id }) => id));
  const times = document.rows.slice(0, 4).map((row) => row.predictedStepTimeSeconds!);
  expect(times).toEqual(times.toSorted((a, b) => a - b));
  expect(document.rows[4]).toMatchObject({ status: 'unsupported', predictedStepTimeSeconds: null });
  expect(document.rows[5]).toMatchObject({ measuredFits: true, predictedFits: true, measuredMemoryBytesPerChip: 4e9 });
  expect(document.sets.map(({ set, predicted, unsupported }) => [set, predicted, unsupported])).toEqual([
    ['some', 4, 0],
    ['other', 0, 1],
    ['third', 1, 0],
  ]);
  expect(document.sets[0]!.stepTime).toMatchObject({ count: 4 });
});

it('counts and names rows that lack what a prediction needs', async () => {
  const unknown = { ...rowOf({ id: 'sparse', set: 'other' }), plan: { ...rowOf().plan, microbatch: null } };
  const folder = folderOf([unknown, rowOf()]);
  const document = await json<ValidationDocument>('validate --runs runs.jsonl', folder);
  expect(document.rows.map(({ id, status }) => [id, status])).toEqual([
    ['one', 'predicted'],
    ['sparse', 'unsupported'],
  ]);
  expect(document.rows[1]).toMatchObject({ reason: expect.stringContaining('plan.microbatch') as string, half: null });
  expect(document.sets.find(({ set }) => set === 'other')).toMatchObject({ rows: 1, predicted: 0, unsupported: 1 });
  const { stdout } = await cli('validate --runs runs.jsonl --set other', folder);
  expect(stdout).toContain('1 × RUN_INVALID at runs.jsonl:1 (plan.microbatch)');
});

it('prints a table, what it could not predict, and halves where they are asked for', async () => {
  const { status, stdout } = await cli('validate --runs runs.jsonl --set some other --split', folderOf(ROWS));
  expect(status).toBe(0);
  expect(stdout).toMatch(/^some +4\/4 +[\d.]+ % /m);
  expect(stdout).toMatch(/^other +0\/1 +– /m);
  expect(stdout).not.toMatch(/^third/m);
  expect(stdout).toContain('1 × no hardware profile of abacus');
  expect(stdout).toContain('Half against half');
});

it('writes a page that needs nothing from elsewhere, whose points lead to their rows', async () => {
  const rows = [...ROWS, rowOf({ id: '<b>bold</b>' })];
  const folder = folderOf(rows);
  expect(await cli('validate --runs runs.jsonl --html page.html', folder)).toMatchObject({ status: 0, stderr: '' });
  const page = readFileSync(join(folder, 'page.html'), 'utf8');
  expect(page).not.toMatch(/<script|<link|(?:src|href)="https?:/);
  expect(page).toContain('&lt;b&gt;bold&lt;/b&gt;');
  const anchors = [...page.matchAll(/href="#(row-\d+)"/g)].map(([, id]) => id!);
  // Those that were measured and predicted.
  expect(new Set(anchors)).toEqual(new Set([0, 1, 2, 3, 6].map((index) => `row-${index}`)));
  for (const id of anchors) expect(page).toContain(`<tr id="${id}">`);
});

it('says that a page has no folder before it predicts anything', async () => {
  const { status, stdout, stderr } = await cli('validate --runs runs.jsonl --html none/page.html', folderOf(ROWS));
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  expect(stderr).toContain('USAGE at none/page.html: expected a file in a folder that exists, got none');
});
