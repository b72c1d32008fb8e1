/** A signal that comes while a run is evaluated. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { TrainEvent } from '../../src/train/index.js';
import { train } from '../../src/train/index.js';
import { createData, jobOf, STEPS, workerUrls } from './checkpoint-support.js';

it('ends the evaluation, and what was trained is reported without it', async () => {
  const data = await createData();
  const job = jobOf(data, { model: 'gpt', plan: 'data=1 microbatches=1', family: 'reference' });
  const run = async (name: string, signal: AbortSignal, onEvent: (event: TrainEvent) => void) => {
    const runFolder = join(data, name);
    mkdirSync(runFolder);
    const losses: number[] = [];
    const listen = (event: TrainEvent): void => {
      if (event.kind === 'step') losses.push(event.metrics.loss);
      onEvent(event);
    };
    return {
      losses,
      ...(await train({ job, workerUrls, runFolder, untimedSteps: 0, evaluate: true }, listen, signal)),
    };
  };
  const whole = await run('whole', new AbortController().signal, () => undefined);
  const stop = new AbortController();
  const cut = await run('cut', stop.signal, (event) => {
    if (event.kind === 'phase' && event.text.startsWith('evaluating')) stop.abort();
  });
  expect(whole.evaluation).toBeDefined();
  expect(cut.evaluation).toBeUndefined();
  expect(cut.losses).toHaveLength(STEPS);
  expect(cut.losses).toEqual(whole.losses);
  expect(cut.checkpoint).toMatchObject({ step: STEPS });
});
