/** `train --resume` through the CLI: in the run's own folder, and in a new one. */
import { appendFileSync, cpSync, existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SavedCheckpoint, StepMetrics } from '../../src/train/index.js';
import { cli, contents, createFolder, expectRefused, json, removeFolder, startCli } from '../cli/support.js';

interface RunDocument {
  readonly runFolder: string;
  readonly resumedAfterStep: number | null;
  readonly steps: number;
  readonly checkpoint: SavedCheckpoint | null;
}

const MODEL = '--model vit-tiny --model-option depth=1 --model-option width=32 --model-option heads=2';
const TRAIN = `train ${MODEL} --hardware local --batch 4 --mesh data=2 --images set --monitor 0`;
const [FIRST, ALL] = [4, 7];

let folder: string;
beforeAll(async () => {
  folder = createFolder();
  await json('images set --classes 2 --per-class 5 --held-out 1 --size 64', folder);
  await json(`${TRAIN} --steps ${ALL} --run whole --keep-checkpoints 0`, folder);
  await json(`${TRAIN} --steps ${FIRST} --run first --checkpoint-every 3`, folder);
}, 60_000);
afterAll(() => removeFolder(folder));

const metricsOf = (run: string): StepMetrics[] =>
  readFileSync(join(folder, run, 'metrics.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as StepMetrics);
const courseOf = (run: string) => metricsOf(run).map(({ step, epoch, loss }) => ({ step, epoch, loss }));
const checkpointsOf = (run: string) => readdirSync(join(folder, run, 'checkpoints')).sort();
const copy = (name: string): string => {
  cpSync(join(folder, 'first'), join(folder, name), { recursive: true });
  return name;
};

describe('a training that is gone on with', () => {
  it('has written checkpoints as often as it was asked, and at its end; none where none is to stay', () => {
    expect(checkpointsOf('first')).toEqual(['step-000003.safetensors', 'step-000004.safetensors']);
    expect(existsSync(join(folder, 'whole/checkpoints'))).toBe(false);
  });

  it('has in its own folder the metrics of one that never stopped, each step once, whatever was cut off', async () => {
    const run = copy('own');
    // Of steps after the checkpoint, the last of which was being written.
    appendFileSync(join(folder, run, 'metrics.jsonl'), `${JSON.stringify({ step: 5, loss: 1 })}\n{"step":6,"lo`);
    const { status, stdout, stderr } = await cli(`train --resume ${run} --steps ${ALL}`, folder);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toContain(
      `going on after step 4, from ${run}/checkpoints/step-000004.safetensors\nrun folder ${run}\n`,
    );
    expect(stdout).toContain(`\ncheckpoint ${run}/checkpoints/step-000007.safetensors\n`);
    expect(courseOf(run)).toEqual(courseOf('whole'));
    expect(checkpointsOf(run)).toEqual(['step-000006.safetensors', 'step-000007.safetensors']);
    expect(readFileSync(join(folder, run, 'job.yaml'), 'utf8')).toContain(`steps: ${ALL}\n`);
  });

  it('goes on over another mesh in a new folder, whose metrics begin with those before; the old one stays', async () => {
    const run = copy('old');
    const before = contents(join(folder, run));
    const line = `train --resume ${run} --steps ${ALL} --mesh model=2,data=2 --microbatches 2 --shard parameters --run wider`;
    const document = await json<RunDocument>(line, folder);
    expect(document).toMatchObject({ runFolder: 'wider', resumedAfterStep: FIRST, steps: ALL - FIRST });
    expect(document.checkpoint).toMatchObject({ path: 'wider/checkpoints/step-000007.safetensors', step: ALL });
    expect(document.checkpoint!.bytes).toBe(statSync(join(folder, document.checkpoint!.path)).size);
    expect(contents(join(folder, run))).toEqual(before);
    const [got, whole] = [courseOf('wider'), courseOf('whole')];
    expect(got.slice(0, FIRST)).toEqual(whole.slice(0, FIRST));
    expect(got.map(({ step }) => step)).toEqual(whole.map(({ step }) => step));
    got.forEach(({ loss }, index) => expect(loss).toBeCloseTo(whole[index]!.loss, 3));
  });

  it('goes on from an older checkpoint in a new folder, and in its own from its newest', async () => {
    const run = copy('older');
    const before = contents(join(folder, run));
    const older = `${run}/checkpoints/step-000003.safetensors`;
    const document = await json<RunDocument>(`train --resume ${older} --steps ${ALL}`, folder);
    expect(document).toMatchObject({ runFolder: 'runs/vit-tiny', resumedAfterStep: 3, steps: ALL - 3 });
    expect(courseOf(document.runFolder)).toEqual(courseOf('whole'));
    expect(contents(join(folder, run))).toEqual(before);
    const newest = `${run}/checkpoints/step-000004.safetensors`;
    expect(await json<RunDocument>(`train --resume ${newest} --epochs 3`, folder)).toMatchObject({ runFolder: run });
    expect(courseOf(run)).toEqual(courseOf('whole').slice(0, 6));
  });

  it('is gone on with once where two are started at the same moment, and the steps are there once', async () => {
    copy('both');
    const two = [1, 2].map(() => startCli('train --resume both --steps 100000'.split(' '), folder));
    try {
      const first = await Promise.race(two.map(async (one) => ({ one, ended: await one.ended })));
      expectRefused(first.ended, { code: 'RUN_INVALID', place: 'both', says: ['a run that is not under way'] });
      const other = two.find((one) => one !== first.one)!;
      await expect.poll(() => courseOf('both').length, { timeout: 30_000 }).toBeGreaterThan(FIRST);
      other.signal('SIGINT');
      expect((await other.ended).status).toBe(130);
    } finally {
      for (const one of two) if (one.isAlive()) one.signal('SIGKILL');
    }
    const steps = courseOf('both').map((line) => line.step);
    expect(steps).toEqual(steps.map((_, index) => index + 1));
  });

  it('is refused while it is under way; once its processes were killed it goes on', async () => {
    const started = startCli(`${TRAIN} --steps 100000 --checkpoint-every 1 --run busy`.split(' '), folder);
    try {
      const count = () => (existsSync(join(folder, 'busy/checkpoints')) ? checkpointsOf('busy').length : 0);
      await expect.poll(count, { timeout: 30_000 }).toBeGreaterThan(1);
      const says = ['a run that is not under way', 'process '];
      expectRefused(await cli('train --resume busy', folder), { code: 'RUN_INVALID', place: 'busy', says });
    } finally {
      started.signal('SIGKILL');
    }
    await started.ended;
    expect(existsSync(join(folder, 'busy/.in-use'))).toBe(true);
    const newest = checkpointsOf('busy').findLast((name) => name.startsWith('step-'))!;
    const step = Number(/\d+/.exec(newest)![0]);
    const document = await json<RunDocument>(`train --resume busy --steps ${step + 2}`, folder);
    expect(document).toMatchObject({ runFolder: 'busy', resumedAfterStep: step, steps: 2 });
    expect(courseOf('busy').map((line) => line.step)).toEqual(
      Array.from({ length: step + 2 }, (_, index) => index + 1),
    );
    expect(readdirSync(join(folder, 'busy'))).not.toContain('.in-use');
    expect(checkpointsOf('busy').filter((name) => name.startsWith('.'))).toEqual([]);
  });
});
