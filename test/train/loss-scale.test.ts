/** Dynamic loss scaling on devices, from a scale that overflows: a decoder in f16 on four ranks. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Job } from '../../src/job/index.js';
import { lowerJob } from '../../src/job/index.js';
import { packageRoot } from '../../src/package-root.js';
import type { FamilyName, HostTensor } from '../../src/runtime/index.js';
import { DevicePool } from '../../src/runtime/index.js';
import { numbersOf } from '../../src/runtime/kernels/tensors.js';
import { composeText } from '../../src/train/data/write-text.js';
import { openJobData, rankFeeds } from '../../src/train/index.js';
import { agreementJob } from '../agreement/run.js';
import { OPTIMIZERS } from '../agreement/case.js';
import { SMALL_DECODER } from '../helpers/models.js';
import { temporaryFolder } from './data/images.js';

interface Step {
  /** Before the step. */
  readonly scale: number;
  readonly loss: number;
  /** After it. */
  readonly nextScale: number;
  readonly finiteSteps: number;
  readonly appliedSteps: number;
  readonly changed: boolean;
}

interface Course {
  readonly steps: readonly Step[];
  /** Parameters and moments of all ranks after each step. */
  readonly states: readonly (readonly number[])[];
}

const workerUrl = pathToFileURL(join(packageRoot(), 'dist/src/cli/rank-worker.js'));
const model = { ...SMALL_DECODER, vocabulary: 256 };
const OVERFLOWING = 2 ** 30;
const INTERVAL = 2;

let text: string;
beforeAll(async () => {
  text = join(await temporaryFolder(), 'text.txt');
  await writeFile(text, composeText({ bytes: 4096, seed: 0 }));
});

/** @param skip batches that are passed over before the first step */
async function course(family: FamilyName, lossScale: number, count: number, skip = 0): Promise<Course> {
  const plan = `data=2,model=2 microbatches=1 compute=f16 loss-scale=${lossScale} loss-scale-interval=${INTERVAL} shard=gradients`;
  const base = agreementJob({ model, plan, batch: 16, family, steps: count, learningRate: 0.01 }, OPTIMIZERS.adamw);
  const job: Job = { ...base, training: { ...base.training, text } };
  const data = await openJobData(job);
  const source = data.start({ imageWorker: workerUrl, onSkipped: () => undefined, startBatch: skip });
  const program = lowerJob(job);
  const pool = await DevicePool.create({ mesh: job.plan.mesh, family, threadsPerRank: 1, workerUrl });
  const counter = async (name: string): Promise<number> => {
    const [first, ...others] = (await pool.readState(`counter:${name}`)).map(
      (value) => numbersOf(value as HostTensor)[0],
    );
    expect(others, `${name} of all ranks`).toEqual([first, first, first]);
    return first!;
  };
  const keys = program.inputs.flatMap((input) => {
    if (input.kind === 'parameter') return [`parameter:${input.name}`];
    return input.kind === 'optimizer' ? [`optimizer:${input.parameter}:${input.slot}`] : [];
  });
  const readState = async (): Promise<number[]> =>
    (await Promise.all(keys.map((key) => pool.readState(key))))
      .flat(2)
      .flatMap((tensor) => Array.from(numbersOf(tensor as HostTensor)));
  try {
    await pool.load('step', program);
    await pool.initialize(3);
    const steps: Step[] = [];
    const states: number[][] = [];
    let before = await readState();
    for (let step = 1; step <= count; step++) {
      const scale = await counter('loss-scale');
      const batch = await source.next();
      const feeds = (rank: number) => rankFeeds(program, rank, batch.data, { 'learning-rate': 0.01 });
      const { outputs } = await pool.run('step', { feeds, outputs: ['loss'] });
      const after = await readState();
      steps.push({
        scale,
        loss: numbersOf(outputs[0]!['loss'] as HostTensor)[0]!,
        nextScale: await counter('loss-scale'),
        finiteSteps: await counter('finite-steps'),
        appliedSteps: await counter('applied-steps'),
        changed: after.some((value, index) => !Object.is(value, before[index])),
      });
      states.push(after);
      before = after;
    }
    return { steps, states };
  } finally {
    await pool.close();
  }
}

describe.each(['onnx', 'reference'] as const)(
  'a loss scale of 2^30 in f16, doubled after 2 finite steps: %s',
  (family) => {
    const COUNT = 30;
    let run: Course;
    let skipped: number;
    beforeAll(async () => {
      run = await course(family, OVERFLOWING, COUNT);
      skipped = run.steps.findIndex(({ changed }) => changed);
    });

    test('halves until gradients are finite, and no parameter and no moment changes until then', () => {
      expect(skipped).toBeGreaterThan(1);
      for (const [index, step] of run.steps.slice(0, skipped).entries()) {
        const scale = OVERFLOWING / 2 ** index;
        expect(step).toMatchObject({ scale, nextScale: scale / 2, finiteSteps: 0, appliedSteps: 0, changed: false });
      }
    });

    test('doubles after every second finite step in a row, and overflows again in the end', () => {
      let inRow = 0;
      const overflows: number[] = [];
      for (const [index, { scale, nextScale, finiteSteps, changed }] of run.steps.entries()) {
        inRow = changed ? inRow + 1 : 0;
        if (!changed) overflows.push(index);
        const doubles = changed && inRow % INTERVAL === 0;
        expect({ nextScale, finiteSteps }, `step ${index + 1}`).toEqual({
          nextScale: changed ? (doubles ? 2 * scale : scale) : scale / 2,
          finiteSteps: inRow % INTERVAL,
        });
      }
      expect(overflows.at(-1)).toBeGreaterThan(skipped);
      expect(overflows.length).toBeLessThan(COUNT / 2 + skipped);
    });

    test('counts the steps that changed something', () => {
      let applied = 0;
      for (const { changed, appliedSteps } of run.steps) expect(appliedSteps).toBe((applied += changed ? 1 : 0));
    });

    test('shows the loss itself, which falls', () => {
      expect(Math.abs(run.steps[0]!.loss - Math.log(256))).toBeLessThan(1);
      expect(run.steps.at(-1)!.loss).toBeLessThan(0.9 * run.steps[0]!.loss);
    });

    test('leaves no trace of the steps it left out: from its first finite scale a run goes the same way, bit for bit', async () => {
      const late = await course(family, run.steps[skipped]!.scale, 6, skipped);
      expect(late.steps).toEqual(run.steps.slice(skipped, skipped + 6));
      expect(late.states).toEqual(run.states.slice(skipped, skipped + 6));
    });
  },
);
