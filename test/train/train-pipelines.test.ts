/** Short trainings of pipelines through the CLI, and what is in the folders they leave. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ComparisonDocument, PlanComparison } from '../../src/cli/comparison.js';
import type { Evaluation, StepMetrics } from '../../src/train/index.js';
import { cli, createFolder, json, removeFolder } from '../cli/support.js';

interface RunDocument {
  readonly evaluation: Evaluation;
  readonly comparison: PlanComparison;
}

const GPT = 'train --model gpt-tiny --model-option depth=2 --text text.txt --batch 16 --steps 6 --seed 3 --monitor 2';
const VIT = 'train --model vit-tiny --images set --batch 16 --steps 4 --seed 3 --monitor 2';
const RUNS = {
  gpt: `${GPT} --chips 1`,
  'gpt in stages': `${GPT} --mesh pipe=2 --microbatches 4 --schedule 1f1b`,
  vit: `${VIT} --chips 1`,
  'vit in stages': `${VIT} --mesh data=2,pipe=2 --microbatches 4`,
} as const;
type Name = keyof typeof RUNS;
const STAGED = ['gpt', 'vit'] as const;

let folder: string;
const runs = new Map<Name, RunDocument>();
const folderOf = (name: Name): string => join('runs', name.replace(/ /g, '-'));
beforeAll(async () => {
  folder = createFolder();
  await json('text text.txt --bytes 20000', folder);
  await json('images set --classes 4 --per-class 16 --held-out 4 --size 64', folder);
  for (const name of Object.keys(RUNS) as Name[])
    runs.set(name, await json<RunDocument>(`${RUNS[name]} --hardware local --run ${folderOf(name)}`, folder));
}, 60_000);
afterAll(() => removeFolder(folder));

const read = (name: Name, file: string): string => readFileSync(join(folder, folderOf(name), file), 'utf8');
const metricsOf = (name: Name): StepMetrics[] =>
  read(name, 'metrics.jsonl')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as StepMetrics);
const comparisonOf = (name: Name): ComparisonDocument =>
  JSON.parse(read(name, 'comparison.json')) as ComparisonDocument;
const worstDifference = (got: readonly number[], expected: readonly number[]): number => {
  expect(got).toHaveLength(expected.length);
  return Math.max(...got.map((value, index) => Math.abs(value / expected[index]! - 1)));
};
const lossesOf = (metrics: readonly StepMetrics[]): number[] => metrics.map(({ loss }) => loss);

describe.each(STAGED)('a training of %s-tiny in stages', (model) => {
  const name = `${model} in stages` as const;

  it('has the losses of one rank, step by step, to rounding', () =>
    expect(worstDifference(lossesOf(metricsOf(name)), lossesOf(metricsOf(model)))).toBeLessThan(1e-4));

  it.each(['gradientNorm', 'largestAttentionLogit'] as const)('has the %s of one rank, to rounding', (metric) => {
    const of = (metrics: readonly StepMetrics[]) => metrics.flatMap((line) => line[metric] ?? []);
    const expected = of(metricsOf(model));
    // The first step, every other one, and the last.
    expect(expected).toHaveLength(model === 'gpt' ? 4 : 3);
    expect(worstDifference(of(metricsOf(name)), expected)).toBeLessThan(1e-4);
  });

  it('is evaluated as one rank is', () => {
    const [got, expected] = [runs.get(name)!.evaluation, runs.get(model)!.evaluation];
    expect(got.of).toBe(expected.of);
    if (got.of === 'text' && expected.of === 'text')
      expect(got.crossEntropyNatsPerByte).toBeCloseTo(expected.crossEntropyNatsPerByte, 4);
    if (got.of === 'images' && expected.of === 'images') expect(got.images).toBe(expected.images);
  });

  it('has every kernel, collective and message of its simulation, as often and of as many bytes', () => {
    const { spans } = comparisonOf(name);
    const ids = spans.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const sent = spans.filter(({ name: op }) => op === 'send');
    const [stages, microbatches] = [2, 4];
    for (const way of ['send:stream', 'send:stream-cotangent']) {
      const span = sent.find(({ id }) => id === way)!;
      // Of two stages one sends, each microbatch's.
      expect(span.runs, way).toBe(microbatches / stages);
      expect(span.sentBytes, way).toBeGreaterThan(0);
    }
    expect(sent.map(({ id }) => id).includes('send:tied:embed/table')).toBe(model === 'gpt');
  });

  it('has what its kinds add up to beside the step, predicted and measured', () => {
    const { byKind, predicted, measured } = runs.get(name)!.comparison;
    const sum = (of: 'predictedSeconds' | 'measuredSeconds') => byKind.reduce((total, kind) => total + kind[of], 0);
    expect(sum('predictedSeconds')).toBeCloseTo(predicted.stepTimeSeconds, 9);
    expect(sum('measuredSeconds')).toBeCloseTo(measured.stepTimeSeconds, 9);
    for (const kind of byKind) expect(kind.predictedSeconds, kind.kind).toBeGreaterThanOrEqual(0);
  });

  it('has tracks of the same spans in its trace, measured and simulated', () => {
    const { traceEvents } = JSON.parse(read(name, 'trace.json')) as {
      traceEvents: { ph: string; pid: number; name: string; cat: string; args: { name?: string } }[];
    };
    const namesOf = (source: string): Set<string> => {
      const { pid } = traceEvents.find(({ ph, args }) => ph === 'M' && args.name === source)!;
      const own = traceEvents.filter((one) => one.ph === 'X' && one.pid === pid && !one.cat.startsWith('host'));
      return new Set(own.map((event) => event.name));
    };
    expect(namesOf('simulated')).toEqual(new Set(comparisonOf(name).spans.map(({ id }) => id)));
    expect(namesOf('measured')).toEqual(namesOf('simulated'));
  });
});

it('compares a run in stages, and calibrates on it', async () => {
  const compared = await cli(`compare ${folderOf('gpt in stages')}`, folder);
  expect(compared).toMatchObject({ status: 0, stderr: '' });
  expect(compared.stdout).toContain('send over pipe');
  const line = `calibrate --runs ${folderOf('gpt in stages')} --output calibrated`;
  const { corrections } = await json<{ corrections: { term: string; factor: number }[] }>(line, folder);
  // What lies between its spans is waiting for stages, which says nothing of the host.
  const host = corrections.filter(({ term }) => term.startsWith('host'));
  expect(host.filter(({ factor }) => factor !== 1)).toEqual([]);
  expect(corrections.some(({ factor }) => factor !== 1)).toBe(true);
});
