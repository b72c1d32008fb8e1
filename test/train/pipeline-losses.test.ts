/** Whole trainings of pipelines on text in float64, against one rank that holds the whole model. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Assessor } from '../../src/cli/assess.js';
import { isPipeline } from '../../src/job/index.js';
import { packageRoot } from '../../src/package-root.js';
import type { SessionOptions, TrainReport } from '../../src/train/index.js';
import { composeText, train, trainInTurns } from '../../src/train/index.js';
import { OPTIMIZERS } from '../agreement/case.js';
import { agreementJob } from '../agreement/run.js';
import { createFolder, removeFolder } from '../cli/support.js';
import { DECODER_VARIANTS } from '../helpers/models.js';

let folder: string;
let expected: TrainReport;
beforeAll(async () => {
  folder = createFolder({ 'text.txt': composeText({ bytes: 1500, seed: 0 }) });
  expected = await run('data=1 microbatches=1');
});
afterAll(() => removeFolder(folder));

const model = { ...DECODER_VARIANTS['as GPT']!, vocabulary: 256, depth: 4 };
const url = (worker: string) => pathToFileURL(join(packageRoot(), `dist/src/cli/${worker}.js`));

const workerUrls = { rank: url('rank-worker'), image: url('image-worker') };

function sessionOf(plan: string): Pick<SessionOptions, 'job' | 'schedule'> {
  const base = agreementJob(
    { model, plan, batch: 8, family: 'reference', steps: 3, learningRate: 0.01 },
    OPTIMIZERS.sgd,
  );
  const job = { ...base, training: { ...base.training, text: join(folder, 'text.txt'), steps: 3 } };
  const schedule = isPipeline(job.plan) ? new Assessor().assessPipeline(job).execution.times.schedule : undefined;
  return { job, ...(schedule ? { schedule } : {}) };
}

const run = (plan: string): Promise<TrainReport> =>
  train(
    { ...sessionOf(plan), workerUrls, untimedSteps: 0, evaluate: true },
    () => undefined,
    new AbortController().signal,
  );

/** The loss of each step, and that of what was held out. */
function numbersOf({ made, evaluation }: TrainReport): number[] {
  if (evaluation?.of !== 'text') throw new Error('nothing was evaluated');
  return [...made.first.map(({ loss }) => loss), evaluation.crossEntropyNatsPerByte];
}

describe('a pipeline has the losses and the evaluation of one rank:', () => {
  it.each([
    'pipe=2 microbatches=4 schedule=1f1b',
    'pipe=2,data=2 microbatches=2 schedule=zb-v shard=parameters',
    'pipe=2,model=2 microbatches=4 schedule=interleaved-1f1b rematerialize=full',
  ])('%s', async (plan) => {
    const [got, wanted] = [numbersOf(await run(plan)), numbersOf(expected)];
    expect(got).toHaveLength(wanted.length);
    got.forEach((value, index) => expect(Math.abs(value / wanted[index]! - 1)).toBeLessThan(1e-9));
  });
});

it('a pipeline takes turns with a plan without one', async () => {
  const jobs = ['pipe=2 microbatches=4 schedule=zb-1p', 'data=2 microbatches=1'].map(sessionOf);
  const turns: number[] = [];
  const options = { jobs, workerUrls, turns: 1, stepsPerTurn: 1 };
  const timings = await trainInTurns(options, (turn) => turns.push(turn), new AbortController().signal);
  expect(turns).toEqual([1]);
  expect(timings.map(({ stepSeconds }) => stepSeconds.length)).toEqual([1, 1]);
  expect(timings[0]!.spans.some(({ id }) => id === 'send:stream')).toBe(true);
});
