/** `metrics.jsonl` under way: a line a step, or an error that says why not. */
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, it } from 'vitest';
import type { StepMetrics } from '../../src/train/index.js';
import { MetricsFile, continueMetrics } from '../../src/train/metrics-file.js';
import { temporaryFolder } from './data/images.js';

const line = (step: number): StepMetrics => ({ step }) as StepMetrics;

let run: string;
beforeEach(async () => {
  run = join(await temporaryFolder(), 'run');
  mkdirSync(run);
});

it('gets a line a step, after those that are there', () => {
  const first = new MetricsFile(run);
  first.append(line(1));
  first.append(line(2));
  first.sync();
  new MetricsFile(run).append(line(3));
  expect(readFileSync(join(run, 'metrics.jsonl'), 'utf8')).toBe('{"step":1}\n{"step":2}\n{"step":3}\n');
});

it('that was deleted with its run is not made again: the training ends', () => {
  const file = new MetricsFile(run);
  file.append(line(1));
  rmSync(join(run, 'metrics.jsonl'));
  const missing = { code: 'WRITE_FAILED', detail: { got: 'no such file or directory' } };
  const failure = (act: () => void): unknown => {
    try {
      act();
    } catch (error) {
      return error;
    }
    return undefined;
  };
  expect(failure(() => file.append(line(2)))).toMatchObject(missing);
  expect(failure(() => file.sync())).toMatchObject(missing);
  rmSync(run, { recursive: true });
  expect(failure(() => file.append(line(2)))).toMatchObject(missing);
  expect(failure(() => new MetricsFile(run).append(line(1)))).toMatchObject(missing);
  mkdirSync(run);
  expect(failure(() => file.append(line(2)))).toMatchObject(missing);
  expect(readdirSync(run)).toEqual([]);
});

it('a run that goes on has the lines up to its checkpoint, whole, of a file that is read in many pieces', () => {
  const [before, after] = ['before', 'after'].map((name) => join(run, name)) as [string, string];
  [before, after].forEach((path) => mkdirSync(path));
  // Of all lengths, so that pieces end anywhere in a line, and in a character.
  const long = (step: number): string => JSON.stringify({ step, text: 'é'.repeat(step % 701) });
  const lines = Array.from({ length: 8000 }, (_, index) => long(index + 1));
  const path = (folder: string): string => join(folder, 'metrics.jsonl');
  writeFileSync(path(before), `${lines.join('\n')}\n{"step": 8001, "te`);
  const checkpoint = join(before, 'checkpoints', 'step-007000.safetensors');

  continueMetrics(checkpoint, after, 7000);
  expect(readFileSync(path(after), 'utf8') === `${lines.slice(0, 7000).join('\n')}\n`).toBe(true);
  continueMetrics(checkpoint, before, 9000);
  expect(readFileSync(path(before), 'utf8') === `${lines.join('\n')}\n`).toBe(true);
  expect([before, after].map((folder) => readdirSync(folder))).toEqual([['metrics.jsonl'], ['metrics.jsonl']]);
});
