import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Assessor } from '../../src/cli/assess.js';
import { comparePlan, writeRunFiles } from '../../src/cli/comparison.js';
import type { RunReport } from '../../src/cli/run-report.js';
import { writeJob } from '../../src/cli/commands/train.js';
import { parsePlanInput } from '../../src/job/index.js';
import { train } from '../../src/train/index.js';
import { createData, workerUrls } from '../train/checkpoint-support.js';
import { cli, json } from './in-process.js';
import { removeFolder } from './support.js';

let folder: string;

/** Of kernels that take milliseconds, beside which it is nothing to look at the clock. */
const MODEL = {
  preset: 'gpt2',
  name: 'small',
  width: 128,
  depth: 2,
  heads: 4,
  keyValueHeads: 4,
  headWidth: 32,
  mlpWidth: 512,
  vocabulary: 256,
  sequence: 64,
};

/** Trains a small decoder and writes its run folder. @param rank the worker of its ranks */
async function run(name: string, plan: string, rank: URL, steps: number): Promise<void> {
  const assessor = new Assessor();
  const job = assessor.resolve({
    model: MODEL,
    hardware: 'local',
    chips: 2,
    batch: 16,
    plan: parsePlanInput(plan, 'plan'),
    training: { text: join(folder, 'text.txt'), steps, monitor: 0 },
  });
  const predicted = assessor.assessAny(job);
  const urls = { ...workerUrls, rank };
  const options = { job: predicted.job, workerUrls: urls, untimedSteps: 2, evaluate: false };
  const report = await train(options, () => undefined, new AbortController().signal);
  const runFolder = join(folder, name);
  const trial = { predicted, spans: report.spans, stepSeconds: report.stepSeconds };
  mkdirSync(runFolder);
  writeJob(runFolder, predicted.job);
  writeRunFiles(runFolder, trial, [comparePlan(trial)], report);
}

const compare = async (name: string): Promise<RunReport> => {
  const { runs } = await json<{ runs: readonly [RunReport] }>(`compare ${name}`, folder);
  return runs[0];
};

beforeAll(async () => {
  folder = await createData();
  // Of many steps, since whoever else runs here may slow the other rank for a part of them.
  await run('slow', 'data=2 microbatches=1', new URL('slow-worker.mjs', import.meta.url), 120);
  await run('even', 'model=2 microbatches=2', workerUrls.rank, 8);
});
afterAll(() => removeFolder(folder));

const total = (rows: readonly { readonly predictedSeconds: number; readonly measuredSeconds: number }[]) => ({
  predicted: rows.reduce((sum, row) => sum + row.predictedSeconds, 0),
  measured: rows.reduce((sum, row) => sum + row.measuredSeconds, 0),
});

describe('compare', () => {
  it('names a rank whose kernels take 30 % longer, by how much and since when', async () => {
    const { stragglers } = await compare('slow');
    expect(stragglers).toMatchObject([{ rank: 1, place: { data: 1 } }]);
    const [{ factor, leastFactor }] = stragglers as [NonNullable<typeof stragglers>[number]];
    expect(factor).toBeGreaterThan(1.15);
    expect(factor).toBeLessThan(1.6);
    expect(leastFactor).toBeLessThan(factor);
    const { stdout } = await cli('compare slow', folder);
    expect(stdout).toMatch(
      /^Stragglers:\n {2}rank 1 \(data=1\): its kernels take 1\.[1-5]\d times as long as those of ranks that/m,
    );
  });

  it.each(['slow', 'even'])('says where all of the difference comes from, in rows that add up (%s)', async (name) => {
    const { plans, waterfalls, ranks } = await compare(name);
    const [{ predicted, measured }] = plans as [(typeof plans)[number]];
    for (const rows of [waterfalls.byWork, waterfalls.byPhase]) {
      expect(total(rows).predicted).toBeCloseTo(predicted.stepTimeSeconds, 9);
      expect(total(rows).measured).toBeCloseTo(measured.stepTimeSeconds, 9);
    }
    expect(ranks).toHaveLength(2);
    for (const { predicted: parts } of ranks!) {
      const { kernels, collectives, host, waits } = parts;
      expect(kernels + collectives + host + waits).toBeCloseTo(predicted.stepTimeSeconds, 9);
    }
  });

  it('tells collectives apart by axis, with the bytes that a rank sends', async () => {
    const [slow, even] = [await compare('slow'), await compare('even')];
    expect(slow.waterfalls.byCollective.map(({ kind }) => kind)).toEqual(['all_reduce over data']);
    expect(even.waterfalls.byCollective.map(({ kind }) => kind)).toContain('all_reduce over model');
    for (const { sentBytes, predictedWholeSeconds } of slow.waterfalls.byCollective) {
      expect(sentBytes).toBeGreaterThan(0);
      expect(predictedWholeSeconds).toBeGreaterThan(0);
    }
  });

  it('lists at most ten kernels, the worst first, each in all its layers', async () => {
    const { worstKernels, spans } = await compare('even');
    expect(worstKernels.length).toBeLessThanOrEqual(10);
    const off = worstKernels.map((row) => Math.abs(row.measuredSeconds - row.predictedSeconds));
    expect(off).toEqual(off.toSorted((a, b) => b - a));
    const [worst] = worstKernels as [(typeof worstKernels)[number]];
    expect(worst.spans).toBe(spans.filter(({ id }) => id.split('@')[0] === worst.kind).length);
  });

  it('reads runs of before ranks were written down, and says so', async () => {
    const path = join(folder, 'slow', 'comparison.json');
    const text = readFileSync(path, 'utf8');
    const { spans, ...document } = JSON.parse(text) as { spans: object[] };
    const older = spans.map((span) => ({ ...span, work: undefined, axis: undefined }));
    writeFileSync(
      path,
      JSON.stringify({ ...document, spans: older, hardwareVersion: undefined, schema: 'meshwright/comparison@2' }),
    );
    rmSync(join(folder, 'slow', 'ranks.json'));
    const { status, stdout } = await cli('compare slow', folder);
    expect({ status, stdout }).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('Stragglers: not known, the run is of before') as string,
    });
    expect(stdout).toContain('all_reduce  ');
  });

  it('refuses what is damaged, with its place', async () => {
    writeFileSync(join(folder, 'even', 'ranks.json'), '{"schema": "meshwright/ranks@1", "ranks": 3}');
    const { status, stderr } = await cli('compare even', folder);
    expect({ status, stderr }).toEqual({
      status: 2,
      stderr: expect.stringMatching(/^meshwright: RUN_INVALID at even\/ranks\.json: .*ranks is wrong/) as string,
    });
  });
});
