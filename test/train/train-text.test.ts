/** Short trainings of a small decoder on a text through the CLI, under plans of several kinds. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ComparisonDocument, PlanComparison } from '../../src/cli/comparison.js';
import type { StepMetrics, TextEvaluation } from '../../src/train/index.js';
import { cli, createFolder, editedProfile, json, removeFolder } from '../cli/support.js';

interface RunDocument {
  readonly steps: number;
  readonly evaluation: TextEvaluation;
  readonly comparison: PlanComparison;
}

const STEPS = 32;
const BATCH = 16;
const SEQUENCE = 64;
const PLANS = {
  one: '--chips 1',
  'data=2': '--mesh data=2 --microbatches 2',
  'model=2, rings': '--mesh model=2 --linears ring',
  'data=2, sharded parameters': '--mesh data=2 --shard parameters --rematerialize full',
  'data=2,model=2, all sharded': '--mesh data=2,model=2 --shard gradients --linears ring',
};
type Name = keyof typeof PLANS;

let folder: string;
const runs = new Map<string, RunDocument>();
const train = (name: string, flags: string): Promise<RunDocument> => {
  const data = `--text text.txt --batch ${BATCH} --steps ${STEPS} --seed 3`;
  const model = '--model llama-tiny --model-option depth=2';
  return json<RunDocument>(`train ${model} ${data} ${flags} --run runs/${name}`, folder);
};
const runName = (plan: Name): string => plan.replace(/\W+/g, '-');
const metricsOf = (name: string): StepMetrics[] =>
  readFileSync(join(folder, 'runs', name, 'metrics.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as StepMetrics);
const lossesOf = (name: string): number[] => metricsOf(name).map(({ loss }) => loss);
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const worstDifference = (got: readonly number[], expected: readonly number[]): number =>
  Math.max(...got.map((value, index) => Math.abs(value / expected[index]! - 1)));

beforeAll(async () => {
  // The shipped profile has no rates of halves; how fast they are is of no account here.
  const { text } = editedProfile('local', '    f32:\n', '    bf16: &rate\n');
  const halves = text.replace('  matrixUnit:', '    f32: *rate\n    f16: *rate\n  matrixUnit:');
  folder = createFolder({ 'halves.yaml': halves.replace('defaultDtype: bf16', 'defaultDtype: f32') });
  await json('text text.txt --bytes 40000', folder);
  for (const plan of Object.keys(PLANS) as Name[])
    runs.set(plan, await train(runName(plan), `--hardware local ${PLANS[plan]}`));
}, 240_000);
afterAll(() => removeFolder(folder));

describe.each(Object.keys(PLANS) as Name[])('a decoder that trains on text, %s,', (plan) => {
  it('has the losses of one rank, step by step, to rounding', () => {
    const losses = lossesOf(runName(plan));
    expect(losses).toHaveLength(STEPS);
    expect(worstDifference(losses, lossesOf('one'))).toBeLessThan(1e-5);
  });

  it('is evaluated on the held-out bytes as one rank is', () => {
    const { evaluation } = runs.get(plan)!;
    const one = runs.get('one')!.evaluation;
    expect(evaluation).toEqual({
      ...one,
      crossEntropyNatsPerByte: expect.closeTo(one.crossEntropyNatsPerByte, 4),
      perplexityPerByte: expect.closeTo(one.perplexityPerByte, 3),
    });
  });

  it('has the spans of its simulation, each once', () => {
    const path = join(folder, 'runs', runName(plan), 'comparison.json');
    const { spans, stepSeconds } = JSON.parse(readFileSync(path, 'utf8')) as ComparisonDocument;
    const program = spans.map(({ id }) => id);
    expect(new Set(program).size).toBe(program.length);
    expect(spans.length).toBeGreaterThan(10);
    for (const { id, predictedSeconds, measuredSeconds } of spans) {
      expect(predictedSeconds, id).toBeGreaterThanOrEqual(0);
      expect(measuredSeconds, id).toBeGreaterThan(0);
    }
    expect(stepSeconds).toHaveLength(runs.get(plan)!.comparison.measured.steps);
  });
});

describe('a training on text', () => {
  it('learns: the loss falls below that of knowing how frequent bytes are', () => {
    const losses = lossesOf('one');
    const { byteEntropyNatsPerByte, crossEntropyNatsPerByte, perplexityPerByte, bytes } = runs.get('one')!.evaluation;
    expect(losses[0]).toBeGreaterThan(5);
    expect(mean(losses.slice(-4))).toBeLessThan(0.7 * mean(losses.slice(0, 4)));
    expect(crossEntropyNatsPerByte).toBeLessThan(byteEntropyNatsPerByte);
    expect(crossEntropyNatsPerByte).toBeCloseTo(losses.at(-1)!, 0);
    expect(perplexityPerByte).toBeCloseTo(Math.exp(crossEntropyNatsPerByte), 9);
    expect(bytes % SEQUENCE).toBe(0);
  });

  it('counts bytes as tokens, and passes over the text as epochs', () => {
    for (const { tokensPerSecond, stepTimeSeconds, epoch, mfu } of metricsOf('one')) {
      expect(tokensPerSecond * stepTimeSeconds).toBeCloseTo(BATCH * SEQUENCE, 3);
      expect(epoch).toBe(0);
      expect(mfu).toBeGreaterThan(0);
    }
  });

  it.each([
    ['bf16', 1e-2],
    ['f16', 2e-3],
  ])('in %s goes as in f32, to its rounding', async (type, bound) => {
    const { evaluation } = await train(type, `--hardware ./halves.yaml --mesh data=2 --compute ${type}`);
    const difference = worstDifference(lossesOf(type), lossesOf('one'));
    expect(difference).toBeLessThan(bound);
    expect(difference).toBeGreaterThan(1e-6);
    expect(evaluation.crossEntropyNatsPerByte).toBeCloseTo(runs.get('one')!.evaluation.crossEntropyNatsPerByte, 1);
  });

  it('says in words how it did, and leaves a job that trains the same again from anywhere', async () => {
    const { status, stdout } = await cli('train data-2/job.yaml --run again', join(folder, 'runs'));
    expect(status).toBe(0);
    expect(stdout).toMatch(/\nheld-out perplexity [\d.]+ a byte \([\d.]+ by frequency alone\)\n/);
    expect(lossesOf('again')).toEqual(lossesOf('data-2'));
    expect(readdirSync(join(folder, 'runs/again'))).toContain('comparison.json');
    expect(existsSync(join(folder, 'runs/again/trace.json'))).toBe(true);
  });
});
