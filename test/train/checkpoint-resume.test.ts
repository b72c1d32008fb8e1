/** Runs that stop at a checkpoint and go on from it, against runs that don't stop. */
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { MeshwrightError } from '../../src/errors.js';
import type { FamilyName } from '../../src/runtime/index.js';
import { createKernelFamily } from '../../src/runtime/kernels/index.js';
import { Checkpoint } from '../../src/train/index.js';
import type { Course, CourseOptions, ModelName } from './checkpoint-support.js';
import { course, createData, jobOf, STEPS } from './checkpoint-support.js';

const STOP = 3;
let data: string;
beforeAll(async () => {
  data = await createData();
});

const together = (parts: readonly Course[], of: 'losses' | 'epochs' | 'lossScales') =>
  parts.flatMap((part) => part[of]);

const SAME_PLAN: Readonly<Record<string, CourseOptions>> = {
  'images on two ranks': { model: 'vit', plan: 'data=2 microbatches=1', family: 'onnx' },
  'text, parameters in shards': { model: 'gpt', plan: 'data=2 microbatches=1 shard=parameters', family: 'reference' },
  'text in two stages': { model: 'gpt', plan: 'pipe=2 microbatches=2 schedule=1f1b', family: 'reference' },
  // State that lies on the device between steps.
  'images on libtensorflow': { model: 'vit', plan: 'data=2 microbatches=2', family: 'tfjs-node' },
  'text on libtensorflow, in two stages': {
    model: 'gpt',
    plan: 'pipe=2 microbatches=2 schedule=1f1b',
    family: 'tfjs-node',
  },
  'SGD with momentum': { model: 'vit', plan: 'model=2 microbatches=2', family: 'reference', optimizer: 'sgd' },
  'halves with a scaled loss': {
    model: 'gpt',
    plan: 'data=2 microbatches=1 compute=f16 loss-scale=4194304 loss-scale-interval=2',
    family: 'reference',
  },
};

const NATIVE: FamilyName = 'tfjs-node';
const isNativeHere = await createKernelFamily(NATIVE).then(
  (family) => family.dispose().then(() => true),
  (error: unknown) => {
    if (error instanceof MeshwrightError && error.code === 'DEVICE_MISSING') return false;
    throw error;
  },
);

describe.each(Object.entries(SAME_PLAN))('%s', (_, options) => {
  it.skipIf(options.family === NATIVE && !isNativeHere)(
    'go on from a checkpoint as if they had not stopped, bit by bit',
    async () => {
      const job = jobOf(data, options);
      const whole = await course(data, job, STEPS);
      const first = await course(data, job, STOP);
      const second = await course(data, job, STEPS - STOP, first.checkpoint);
      for (const of of ['losses', 'epochs', 'lossScales'] as const)
        expect(together([first, second], of), of).toEqual(whole[of]);
      // But for the id of the run and the header's checksum the files are the same.
      expect(dataOf(second.checkpoint).equals(dataOf(whole.checkpoint))).toBe(true);
    },
  );
});

function dataOf(path: string): Buffer {
  const all = readFileSync(path);
  return all.subarray(8 + Number(all.readBigUInt64LE()));
}

/** Each goes on from a checkpoint of the one before it. */
const CHAINS: Readonly<Record<ModelName, readonly string[]>> = {
  vit: [
    'data=1 microbatches=1',
    'data=2,model=2 microbatches=1 activations=sequence',
    'data=4 microbatches=2 shard=optimizer',
    'replica=2,data=2 microbatches=1 shard=parameters',
    'pipe=2,model=2 microbatches=2 schedule=gpipe',
    'data=1 microbatches=1',
  ],
  gpt: [
    'pipe=2 microbatches=4 schedule=interleaved-1f1b virtual-stages=2',
    'data=2,sequence=2 microbatches=1',
    'pipe=2,data=2 microbatches=2 schedule=zb-v shard=parameters',
    'data=1 microbatches=2',
    'model=4 microbatches=1 linears=ring',
    'data=2 microbatches=1 rematerialize=full shard=gradients',
  ],
};

describe.each(Object.entries(CHAINS) as [ModelName, readonly string[]][])('%s', (model, plans) => {
  it('goes on under any plan: after each step another one, with the losses of one rank to rounding', async () => {
    const family = 'reference';
    const whole = await course(data, jobOf(data, { model, plan: 'data=1 microbatches=1', family }), plans.length);
    const losses: number[] = [];
    let before: string | undefined;
    for (const plan of plans) {
      const part: Course = await course(data, jobOf(data, { model, plan, family }), 1, before);
      losses.push(...part.losses);
      before = part.checkpoint;
    }
    losses.forEach((loss, step) => expect(Math.abs(loss / whole.losses[step]! - 1), plans[step]).toBeLessThan(1e-9));
    expect(dataOf(before!).length).toBe(dataOf(whole.checkpoint).length);
  });
});

describe('a loss that is scaled', () => {
  const f16 = (scale: number) => ({
    model: 'gpt' as const,
    plan: `data=2 microbatches=1 compute=f16 loss-scale=${scale} loss-scale-interval=1000`,
    family: 'reference' as const,
  });
  const appliedSteps = (path: string): number => {
    const checkpoint = new Checkpoint(path);
    checkpoint.close();
    return checkpoint.metadata.optimizer.appliedSteps;
  };

  it('leaves the number of updates that were made to plans that scale none, and gets it back', async () => {
    const scaled = await course(data, jobOf(data, f16(2 ** 22)), STOP);
    const made = appliedSteps(scaled.checkpoint);
    expect(made).toBeLessThan(STOP);
    const plain = jobOf(data, { model: 'gpt', plan: 'data=1 microbatches=1', family: 'reference' });
    const second = await course(data, plain, 1, scaled.checkpoint);
    expect(appliedSteps(second.checkpoint)).toBe(made + 1);
    const third = await course(data, jobOf(data, f16(2)), 1, second.checkpoint);
    expect(appliedSteps(third.checkpoint)).toBe(made + 2);
    // The plan's own, since the checkpoint had none.
    expect(third.lossScales).toEqual([2]);
  });

  it('goes on with the scale that it found, unless another one is asked for', async () => {
    const { checkpoint, lossScales } = await course(data, jobOf(data, f16(2 ** 22)), STOP);
    const found = lossScales.at(-1)!;
    expect(found).toBeLessThan(2 ** 22);
    const [same] = (await course(data, jobOf(data, f16(2 ** 22)), 1, checkpoint)).lossScales;
    expect([found, found / 2]).toContain(same);
    expect((await course(data, jobOf(data, f16(4)), 1, checkpoint)).lossScales).toEqual([4]);
  });
});
