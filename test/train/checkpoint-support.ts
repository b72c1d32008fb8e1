/** Short runs of small models that stop at checkpoints, and go on from them. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Assessor } from '../../src/cli/assess.js';
import type { Job } from '../../src/job/index.js';
import { isPipeline } from '../../src/job/index.js';
import { packageRoot } from '../../src/package-root.js';
import type { FamilyName } from '../../src/runtime/index.js';
import type { StepMetrics, TrainEvent } from '../../src/train/index.js';
import { composeText, generateDataset } from '../../src/train/index.js';
import { Session } from '../../src/train/session.js';
import { OPTIMIZERS } from '../agreement/case.js';
import { agreementJob } from '../agreement/run.js';
import { DECODER_VARIANTS, SMALL_VIT } from '../helpers/models.js';
import { temporaryFolder } from './data/images.js';

const url = (name: string) => pathToFileURL(join(packageRoot(), `dist/src/cli/${name}.js`));
export const workerUrls = { rank: url('rank-worker'), image: url('image-worker') };

export const STEPS = 6;
export const MODELS = {
  vit: { ...SMALL_VIT, classes: 4 },
  gpt: { ...DECODER_VARIANTS['as GPT']!, vocabulary: 256, depth: 4 },
} as const;
export type ModelName = keyof typeof MODELS;

export interface CourseOptions {
  readonly model: ModelName;
  /** In the short form. */
  readonly plan: string;
  readonly family: FamilyName;
  readonly optimizer?: keyof typeof OPTIMIZERS;
  readonly checkpoint?: Job['training']['checkpoint'];
}

/** A folder with a text and images to train on. */
export async function createData(): Promise<string> {
  const folder = await temporaryFolder();
  writeFileSync(join(folder, 'text.txt'), composeText({ bytes: 2048, seed: 0 }));
  const images = { classCount: 4, trainImagesPerClass: 5, heldOutImagesPerClass: 1, imageSize: 16, seed: 0 };
  await generateDataset(join(folder, 'images'), images);
  return folder;
}

export function jobOf(
  data: string,
  { model, plan, family, optimizer = 'adamw', checkpoint = { keep: 2 } }: CourseOptions,
): Job {
  const options = { model: MODELS[model], plan, batch: 8, family, steps: STEPS, learningRate: 0.01 };
  const job = agreementJob(options, OPTIMIZERS[optimizer]);
  const source = model === 'vit' ? { images: join(data, 'images') } : { text: join(data, 'text.txt') };
  return { ...job, training: { ...job.training, ...source, steps: STEPS, checkpoint, monitor: 0 } };
}

export function openSession(
  job: Job,
  runFolder: string,
  resume?: string,
  emit: (event: TrainEvent) => void = () => undefined,
): Promise<Session> {
  const schedule = isPipeline(job.plan) ? new Assessor().assessPipeline(job).execution.times.schedule : undefined;
  const options = { job, workerUrls, runFolder, ...(schedule ? { schedule } : {}), ...(resume ? { resume } : {}) };
  return Session.open(options, emit);
}

export interface Course {
  readonly losses: readonly number[];
  readonly epochs: readonly number[];
  readonly lossScales: readonly (number | undefined)[];
  /** Of its end. */
  readonly checkpoint: string;
}

let runs = 0;

/** @param count how many steps to make, from the beginning or from a checkpoint, in a new run folder */
export async function course(data: string, job: Job, count: number, resume?: string): Promise<Course> {
  const runFolder = join(data, `run-${runs++}`);
  mkdirSync(runFolder);
  const metrics: StepMetrics[] = [];
  const session = await openSession(job, runFolder, resume, (event) => {
    if (event.kind === 'step') metrics.push(event.metrics);
  });
  try {
    await session.advance(count, new AbortController().signal);
    const { path } = (await session.checkpoint())!;
    return {
      losses: metrics.map(({ loss }) => loss),
      epochs: metrics.map(({ epoch }) => epoch),
      lossScales: metrics.map(({ lossScale }) => lossScale),
      checkpoint: path,
    };
  } finally {
    await session.close();
  }
}
