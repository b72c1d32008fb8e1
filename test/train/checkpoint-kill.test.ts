/** The device process of a training is killed at random moments, 20 times; what it leaves is whole and goes on. */
import { fork } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import type { JobInput } from '../../src/job/index.js';
import { jobToInput, resolveJob } from '../../src/job/index.js';
import { packageRoot } from '../../src/package-root.js';
import type { FromChild } from '../../src/runtime/child-protocol.js';
import { createRandom } from '../../src/random.js';
import type { StepMetrics, TrainEvent } from '../../src/train/index.js';
import { Checkpoint, listCheckpoints } from '../../src/train/index.js';
import { createData } from './checkpoint-support.js';

const HOST = join(packageRoot(), 'dist/src/cli/child-host.js');
const KILLS = 20;
const STEPS = 3 * KILLS + 2;

let data: string;
let job: JobInput;
beforeAll(async () => {
  data = await createData();
  const input: JobInput = {
    model: { preset: 'vit-tiny', width: 32, mlpWidth: 64, depth: 1, heads: 2, imageSize: 16, classes: 4 },
    hardware: 'local',
    batch: 8,
    plan: { mesh: { data: 2 }, microbatches: 1, shard: 'parameters' },
    training: { images: join(data, 'images'), steps: STEPS, monitor: 0, checkpoint: { everySteps: 1, keep: 2 } },
  };
  job = jobToInput(resolveJob(input, () => true));
});

/**
 * Trains until `until` says so, and then ends the process at once.
 *
 * @returns whether the training came to its end before
 */
function train(runFolder: string, until: (event: TrainEvent) => boolean, resume?: string): Promise<boolean> {
  const child = fork(HOST, [], {
    serialization: 'advanced',
    execArgv: [],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  let isDone = false;
  child.on('message', (message: FromChild) => {
    if (message.kind === 'error') throw new Error(message.error.message);
    isDone ||= message.kind === 'result';
    if (isDone || (message.kind === 'event' && until(message.event as TrainEvent))) child.kill('SIGKILL');
  });
  const args = { job, untimedSteps: 0, evaluate: false, runFolder, ...(resume === undefined ? {} : { resume }) };
  child.send({ kind: 'request', request: 'train', args });
  return new Promise((resolve, reject) => child.on('error', reject).on('exit', () => resolve(isDone)));
}

const metricsOf = (runFolder: string): StepMetrics[] =>
  readFileSync(join(runFolder, 'metrics.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as StepMetrics);
const courseOf = (runFolder: string) => metricsOf(runFolder).map(({ step, epoch, loss }) => ({ step, epoch, loss }));

function newestWhole(runFolder: string): string {
  const checkpoints = listCheckpoints(runFolder);
  for (const { path, step } of checkpoints) {
    const checkpoint = new Checkpoint(path);
    checkpoint.verify();
    expect(checkpoint.metadata.step).toBe(step);
    checkpoint.close();
  }
  return checkpoints.at(-1)!.path;
}

it(`a training that is killed ${KILLS} times has the losses of one that isn't, each step once`, async () => {
  const [whole, killed] = [join(data, 'whole'), join(data, 'killed')];
  [whole, killed].forEach((path) => mkdirSync(path));
  expect(await train(whole, () => false)).toBe(true);

  const random = createRandom(7);
  let resume: string | undefined;
  for (let kill = 0; kill < KILLS; kill++) {
    // The second step after a start is the first that has a checkpoint before it.
    let left = 2 + random.below(2);
    const moment = random.below(2) === 0 ? 'step' : 'checkpoint';
    let done = 0;
    const until = ({ kind }: TrainEvent): boolean => {
      if (kind === 'step') done++;
      if (kind === moment) left--;
      return left === 0;
    };
    expect(await train(killed, until, resume), `${done} steps`).toBe(false);
    const newest = newestWhole(killed);
    expect(newest).not.toBe(resume);
    resume = newest;
  }
  expect(await train(killed, () => false, resume)).toBe(true);

  expect(courseOf(killed)).toEqual(courseOf(whole));
  expect(readdirSync(join(killed, 'checkpoints'))).toEqual(readdirSync(join(whole, 'checkpoints')));
}, 300_000);
