import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { continueMetrics } from '../../src/train/metrics-file.js';
import { createFolder, removeFolder } from '../cli/support.js';

let folder: string;
beforeAll(() => {
  folder = createFolder();
});
afterAll(() => removeFolder(folder));

it('a run that goes on has the lines up to its checkpoint, whole, of a file that is read in many pieces', () => {
  const [before, after] = ['before', 'after'].map((name) => join(folder, name)) as [string, string];
  [before, after].forEach((path) => mkdirSync(path));
  // Of all lengths, so that pieces end anywhere in a line, and in a character.
  const line = (step: number): string => JSON.stringify({ step, text: 'é'.repeat(step % 701) });
  const lines = Array.from({ length: 8000 }, (_, index) => line(index + 1));
  const path = (run: string): string => join(run, 'metrics.jsonl');
  writeFileSync(path(before), `${lines.join('\n')}\n{"step": 8001, "te`);
  const checkpoint = join(before, 'checkpoints', 'step-007000.safetensors');

  continueMetrics(checkpoint, after, 7000);
  expect(readFileSync(path(after), 'utf8') === `${lines.slice(0, 7000).join('\n')}\n`).toBe(true);
  continueMetrics(checkpoint, before, 9000);
  expect(readFileSync(path(before), 'utf8') === `${lines.join('\n')}\n`).toBe(true);
  expect([before, after].map((run) => readdirSync(run))).toEqual([['metrics.jsonl'], ['metrics.jsonl']]);
});
