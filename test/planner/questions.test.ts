import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkPlan, DEFAULT_PLAN, modelFlops, resolveModel, resolveTask } from '../../src/job/index.js';
import type { Task } from '../../src/job/index.js';
import { createMesh } from '../../src/mesh/index.js';
import { PRESETS } from '../../src/models/index.js';
import {
  chipCounts,
  compareHardware,
  costOf,
  fewestChips,
  largestBatch,
  largestModel,
  scaledModel,
  trainingEstimate,
} from '../../src/planner/index.js';
import type { BestPlan, FindBest, PlanFigures } from '../../src/planner/index.js';
import { seconds } from '../../src/units.js';

const task = resolveTask({ model: 'gpt2', hardware: 'h100-80gb-sxm', chips: 8, batch: 4096 });
const flops = modelFlops(task.model, task.batch);
const peak = task.hardware.chip.matmul.bf16!.peak;
const tokensPerStep = task.batch * 1024;

const best = (of: Task, step: number): BestPlan<PlanFigures> => ({
  job: checkPlan(of, { ...DEFAULT_PLAN, mesh: createMesh({ data: of.chips }), microbatches: 1 }),
  figures: {
    stepTimeSeconds: step,
    mfu: flops / (step * of.chips * peak),
    computeSeconds: step,
    exposedCommunicationSeconds: 0,
    exposedCommunicationByAxisSeconds: {},
    overheadSeconds: 0,
    peakMemoryBytesPerChip: 1,
  },
});

/** At an MFU that falls with the chips, nothing below `least` chips. */
const finder =
  (mfu: number, least = 1): FindBest<PlanFigures> =>
  async (of) => {
    if (of.chips < least || of.batch % of.chips !== 0) return undefined;
    return best(of, flops / (of.chips * peak * mfu * of.chips ** -0.05));
  };

describe('the fewest chips', () => {
  test('are the least count that is done in time, found without trying those below the peak', () =>
    fc.assert(
      fc.asyncProperty(
        fc.double({ min: 0.1, max: 0.9, noNaN: true }),
        fc.integer({ min: 1, max: 64 }),
        fc.double({ min: 2, max: 1e3, noNaN: true }),
        async (mfu, least, chipsWorth) => {
          const find = finder(mfu, least);
          const tokens = tokensPerStep * 1000;
          const within = seconds((1000 * flops) / (peak * chipsWorth));
          const done: number[] = [];
          for (const chips of chipCounts(task.hardware, 1)) {
            const found = await find({ ...task, chips });
            if (found !== undefined && trainingEstimate(found, tokens).time <= within) done.push(chips);
          }
          const tried: number[] = [];
          const asked = fewestChips(
            task,
            { tokens, within, modelFlops: flops },
            (of) => (tried.push(of.chips), find(of)),
          );
          if (done.length === 0) {
            await expect(asked).rejects.toThrow(/JOB_INVALID at --finish-in/);
            return;
          }
          const { best: found, training, tooFew } = await asked;
          expect(found.job.chips).toBe(Math.min(...done));
          expect(training.time).toBeLessThanOrEqual(within);
          expect(tooFew.map((one) => one.task.chips)).toEqual(tried.slice(0, -1));
          expect(Math.min(...tried)).toBeGreaterThanOrEqual(chipsWorth * 0.999);
        },
      ),
      { numRuns: 60 },
    ));

  test('are more where interruptions take their share', async () => {
    const find = finder(0.5);
    const asked = { tokens: tokensPerStep * 1000, within: seconds((1000 * flops) / (peak * 7)), modelFlops: flops };
    const plain = await fewestChips(task, asked, find);
    const slow = await fewestChips(task, { ...asked, slowdown: 2 }, find);
    expect(slow.best.job.chips).toBeGreaterThan(plain.best.job.chips);
  });

  test('are whole nodes, or divide one', () => {
    for (const count of chipCounts(task.hardware, 1)) expect(count % 8 === 0 || 8 % count === 0).toBe(true);
    expect(chipCounts(task.hardware, 100)[0]).toBe(128);
  });
});

describe('the largest', () => {
  const upTo =
    (fits: (of: Task) => boolean): FindBest<PlanFigures> =>
    async (of) =>
      fits(of) ? best(of, 1) : undefined;

  test('batch is in multiples of the chips, to a sixteenth', () =>
    fc.assert(
      fc.asyncProperty(fc.integer({ min: 8, max: 1_000_000 }), async (most) => {
        const { best: found, tooLarge } = await largestBatch(
          task,
          upTo(({ batch }) => batch <= most),
        );
        expect(found.job.batch % task.chips).toBe(0);
        expect(found.job.batch).toBeLessThanOrEqual(most);
        expect(tooLarge.batch).toBeGreaterThan(most);
        expect(tooLarge.batch - found.job.batch).toBeLessThanOrEqual(Math.max(task.chips, found.job.batch / 16));
      }),
    ));

  test('model keeps its proportions', async () => {
    const limit = 1e5;
    const { best: found, tooLarge } = await largestModel(
      task,
      upTo(({ model }) => model.width * model.depth <= limit),
    );
    const { width, depth, heads } = found.job.model;
    expect(width * depth).toBeLessThanOrEqual(limit);
    expect(tooLarge.model.width * tooLarge.model.depth).toBeGreaterThan(limit);
    expect(width / heads).toBe(task.model.width / task.model.heads);
    expect(depth / heads).toBeCloseTo(task.model.depth / task.model.heads, 1);
    // The job that it gives is one that can be written and read again.
    expect(resolveModel(found.job.modelInput)).toEqual(found.job.model);
  });

  test('is refused where not even the smallest fits', async () => {
    await expect(
      largestModel(
        task,
        upTo(() => false),
      ),
    ).rejects.toThrow(/PLAN_DOES_NOT_FIT at largest model on 8 ×/);
    await expect(
      largestBatch(
        task,
        upTo(() => false),
      ),
    ).rejects.toThrow(/not even a batch of 8/);
  });

  test.each(PRESETS.map(({ config }) => config))('$name can be had in many sizes', (config) => {
    for (const heads of [8, 24, 40, 96, 256]) {
      const changed = scaledModel(config, heads, config.heads);
      const model = resolveModel({ preset: config.name, ...changed });
      expect(model.heads).toBe(heads);
      expect(model.width / model.heads).toBeCloseTo(config.width / config.heads, 0);
    }
  });
});

test('a training is whole steps, at the price of its chips', () => {
  const found = best({ ...task, chips: 8 }, 2);
  const estimate = trainingEstimate(found, tokensPerStep * 9.5);
  expect(estimate).toMatchObject({ steps: 10, time: 20, ...costOf(task.hardware, 8, seconds(20)) });
  expect(trainingEstimate(found, tokensPerStep * 9.5, 1.25).time).toBe(25);
});

test('machines are compared in the order given, those that nothing fits on included', async () => {
  const tasks = ['tpu-v4', 'h100-80gb-sxm'].map((name) => resolveTask({ model: 'gpt2', hardware: name, chips: 8 }));
  const rows = await compareHardware(tasks, 1e6, async (of) =>
    of.hardware.name === 'tpu-v4' ? undefined : best({ ...of, batch: 64 }, 1),
  );
  expect(rows.map(({ hardware, training }) => [hardware.name, training === undefined])).toEqual([
    ['tpu-v4', true],
    ['h100-80gb-sxm', false],
  ]);
});
