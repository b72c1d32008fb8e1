/** Short runs whose numbers stop being finite: the op is found that gave the first, and nowhere else. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MeshwrightError } from '../../src/errors.js';
import type { Job } from '../../src/job/index.js';
import type { CourseOptions } from './checkpoint-support.js';
import { createData, jobOf, openSession, STEPS } from './checkpoint-support.js';
import { removeFolder } from '../cli/support.js';

let data: string;
beforeAll(async () => {
  data = await createData();
});
afterAll(() => removeFolder(data));

const going = new AbortController().signal;
let runs = 0;

/** @returns what a run failed with, and what is said of that in the end */
async function fail(job: Job) {
  const runFolder = join(data, `failing-${runs++}`);
  mkdirSync(runFolder);
  const phases: string[] = [];
  const session = await openSession(job, runFolder, undefined, (event) => {
    if (event.kind === 'phase') phases.push(event.text);
  });
  try {
    const error = await session.advance(STEPS, going).then(
      () => new MeshwrightError('LOSS_NOT_FINITE', { place: 'none', expected: '', got: '' }),
      (thrown: unknown) => thrown as MeshwrightError,
    );
    return { error, explained: await session.explain(error, going), phases };
  } finally {
    await session.close();
  }
}

const withRate = (options: CourseOptions, learningRate: number): Job => {
  const job = jobOf(data, options);
  return { ...job, training: { ...job.training, learningRate, warmupSteps: 0, cooldownSteps: 0 } };
};

describe.each([
  { model: 'vit', plan: 'data=2 microbatches=1', family: 'onnx' },
  { model: 'gpt', plan: 'model=2 microbatches=1 linears=ring', family: 'onnx' },
  { model: 'gpt', plan: 'pipe=2 microbatches=2', family: 'reference' },
] as const)('$model under $plan', (options) => {
  it('with parameters that are too large names the op of the forward pass that overflows first', async () => {
    const { error, explained } = await fail(withRate(options, 1e30));
    const [, at] = /^step (\d)$/.exec(error.detail.place)!;
    expect(explained).toMatchObject({ code: 'LOSS_NOT_FINITE', cause: error });
    const { place, got, hint } = explained.detail;
    const [, step] = /^step (\d), [a-z]+\/[a-z-/]+(?:@[\d.]+)?$/.exec(place)!;
    expect(Number(step)).toBeLessThanOrEqual(Number(at));
    expect(got).toMatch(
      /^(NaN|-?Infinity) from [a-z_]+ \(forward\), the first op that gave one: .* of operands up to .*e\+/,
    );
    expect(hint).toContain('lower the learning rate');
    expect(hint).toContain(`at step ${at} came of it`);
  });

  it('finds nothing in steps whose numbers are finite', async () => {
    const { error, explained } = await fail(withRate(options, 1e-3));
    expect(error.detail.place).toBe('none');
    expect(explained).toBe(error);
  });
});

it('with updates that are too large names the op of the update', async () => {
  const options = { model: 'vit', plan: 'data=2 microbatches=1', family: 'onnx' } as const;
  // Close to the largest number of float32: a parameter beyond it is infinite.
  const { explained } = await fail(withRate(options, 3.4e38));
  expect(explained.detail.place).toMatch(/^step 1, /);
  expect(explained.detail.got).toMatch(/^(NaN|-?Infinity) from [a-z_]+ \(optimizer\), the first op/);
});

it('begins at the newest checkpoint', async () => {
  const checkpoint = { everySteps: 1, keep: 2 };
  const job = withRate({ model: 'gpt', plan: 'data=2 microbatches=1', family: 'onnx', checkpoint }, 1e30);
  const { error, explained, phases } = await fail(job);
  expect(error.detail.place).toBe('step 2');
  expect(explained.detail.place).toMatch(/^step 2, /);
  expect(phases.at(-1)).toBe('not finite: making steps 2 to 2 again to find the op');
});
