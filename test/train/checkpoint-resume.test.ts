/** Runs that stop at a checkpoint and go on from it, against runs that don't stop. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { writeFileSync, readFileSync, mkdirSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { Assessor } from '../../src/cli/assess.js';
import { isPipeline, resolveJob } from '../../src/job/index.js';
import type { Job, JobInput } from '../../src/job/index.js';
import { packageRoot } from '../../src/package-root.js';
import { composeText, generateDataset } from '../../src/train/index.js';
import { Session } from '../../src/train/session.js';
import { temporaryFolder } from './data/images.js';

const url = (name: string) => pathToFileURL(join(packageRoot(), `dist/src/cli/${name}.js`));
const workerUrls = { rank: url('rank-worker'), image: url('image-worker') };

const STEPS = 6;
const STOP = 3;
let folder: string;
beforeAll(async () => {
  folder = await temporaryFolder();
  writeFileSync(join(folder, 'text.txt'), composeText({ bytes: 8192, seed: 0 }));
  await generateDataset(join(folder, 'images'), {
    classCount: 4,
    trainImagesPerClass: 5,
    heldOutImagesPerClass: 1,
    imageSize: 64,
    seed: 0,
  });
});

/** @param plan in its short form */
function jobOf(model: 'vit-tiny' | 'gpt-tiny', mesh: JobInput['plan'], change: JobInput = {}): Job {
  const data = model === 'vit-tiny' ? { images: join(folder, 'images') } : { text: join(folder, 'text.txt') };
  const settings = model === 'vit-tiny' ? { preset: model, depth: 2, classes: 4 } : { preset: model, depth: 2 };
  const input: JobInput = {
    model: settings,
    hardware: 'local',
    batch: 8,
    plan: { microbatches: 1, ...mesh },
    ...change,
  };
  return resolveJob(
    {
      ...input,
      training: { ...data, steps: STEPS, seed: 2, checkpoint: { everySteps: 1000, keep: 2 }, ...change.training },
    },
    () => true,
  );
}

interface Course {
  readonly losses: readonly number[];
  readonly epochs: readonly number[];
  readonly checkpoint: string;
}
let runs = 0;
async function course(job: Job, count: number, resume?: string): Promise<Course> {
  const runFolder = join(folder, `run-${runs++}`);
  mkdirSync(runFolder);
  const schedule = isPipeline(job.plan)
    ? { schedule: new Assessor().assessPipeline(job).execution.times.schedule }
    : {};
  const session = await Session.open(
    { job, ...schedule, workerUrls, runFolder, ...(resume === undefined ? {} : { resume }) },
    () => undefined,
  );
  try {
    await session.advance(count, new AbortController().signal);
    const saved = await session.checkpoint();
    return {
      losses: session.metrics.map(({ loss }) => loss),
      epochs: session.metrics.map(({ epoch }) => epoch),
      checkpoint: saved!.path,
    };
  } finally {
    await session.close();
  }
}

const PLANS: Readonly<Record<string, readonly ['vit-tiny' | 'gpt-tiny', JobInput['plan'], JobInput?]>> = {
  'images on two ranks': ['vit-tiny', { mesh: { data: 2 } }],
  'text, parameters in shards': ['gpt-tiny', { mesh: { data: 2 }, shard: 'parameters' }],
  'text in two stages': ['gpt-tiny', { mesh: { pipe: 2 }, microbatches: 2 }],
  'halves with a scaled loss': ['gpt-tiny', { mesh: { model: 2 }, compute: 'f16' }],
};

describe.each(Object.entries(PLANS))('%s', (_, [model, plan, change]) => {
  it('go on from a checkpoint as if they had not stopped, bit by bit', async () => {
    const job = jobOf(model, plan, change);
    const whole = await course(job, STEPS);
    const first = await course(job, STOP);
    const second = await course(job, STEPS - STOP, first.checkpoint);
    expect([...first.losses, ...second.losses]).toEqual(whole.losses);
    expect([...first.epochs, ...second.epochs]).toEqual(whole.epochs);
    expect(readFileSync(second.checkpoint).length).toBe(readFileSync(whole.checkpoint).length);
  });
});
