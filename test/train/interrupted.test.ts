/** Runs that are interrupted: at random times, by every signal, sent to all their processes or to one. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { listCheckpoints } from '../../src/train/index.js';
import type { Ended, Started } from '../cli/support.js';
import { createFolder, json, removeFolder, startCli } from '../cli/support.js';
import { processes } from '../helpers/processes.js';

const STATUS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
type Name = keyof typeof STATUS;
const NAMES = Object.keys(STATUS) as Name[];
const TRAIN = '--model llama-tiny --model-option depth=1 --text text.txt --batch 8 --mesh data=2 --hardware local';

let folder: string;
const started: Started[] = [];
beforeAll(async () => {
  folder = createFolder({ 'often.yaml': 'training: {checkpoint: {everySteps: 2}}\n' });
  await json('text text.txt --bytes 20000', folder);
});
afterAll(() => {
  for (const one of started) if (one.isAlive()) one.signal('SIGKILL');
  removeFolder(folder);
});

function start(run: string, job = ''): Started {
  const one = startCli(
    `train ${job} ${TRAIN} --steps 1000000 --run ${run}`.split(/ +/).filter((word) => word !== ''),
    folder,
  );
  started.push(one);
  return one;
}

const stepsOf = (run: string): { step: number }[] => {
  const path = join(folder, run, 'metrics.jsonl');
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as { step: number });
};

/** Returns when a run has made some steps. */
async function stepping(run: string, one: Started): Promise<void> {
  const ended = one.ended.then(({ stderr }) => Promise.reject(new Error(stderr)));
  await Promise.race([ended, expect.poll(() => stepsOf(run).length, { timeout: 50_000 }).toBeGreaterThan(2)]);
  ended.catch(() => undefined);
}

const membersOf = (group: number) => processes().filter((one) => one.group === group);

it.each([
  ['SIGINT', 'all its processes', (one: Started) => one.signal('SIGINT')],
  ['SIGTERM', 'its first process', (one: Started) => one.signalAlone('SIGTERM')],
  ['SIGHUP', 'all its processes', (one: Started) => one.signal('SIGHUP')],
] as const)(
  '%s to %s ends a run after a checkpoint of the step in flight, and says how to go on',
  async (name, _, send) => {
    const run = `stopped-${name}`;
    const one = start(run);
    await stepping(run, one);
    send(one);
    const { status, stderr } = await one.ended;
    expect(status, stderr).toBe(STATUS[name]);
    expect(membersOf(one.group)).toEqual([]);
    const last = stepsOf(run).at(-1)!.step;
    expect(listCheckpoints(join(folder, run)).map(({ step }) => step)).toEqual([last]);
    expect(stderr).toBe(
      `\n${name}: ending after the step in flight; once more ends at once\n` +
        `step ${last} and all before it are safe: meshwright train --resume ${run} goes on\n`,
    );
  },
);

it('a second signal ends at once, and the same again from somebody who passed it on does not count', async () => {
  const one = start('twice');
  await stepping('twice', one);
  one.signal('SIGINT');
  one.signalAlone('SIGINT');
  expect((await one.ended).status).toBe(130);
  expect(listCheckpoints(join(folder, 'twice'))).toHaveLength(1);
  expect(membersOf(one.group)).toEqual([]);

  // Stopped, its step takes for ever.
  const other = start('at-once');
  await stepping('at-once', other);
  const [device] = membersOf(other.group).filter(({ pid }) => pid !== other.group);
  process.kill(device!.pid, 'SIGSTOP');
  other.signalAlone('SIGTERM');
  await delay(600);
  other.signalAlone('SIGTERM');
  expect((await other.ended).status).toBe(143);
  await expect.poll(() => membersOf(other.group), { timeout: 5000 }).toEqual([]);
});

it(
  '20 runs that are interrupted at random times leave no process and no half of a file behind',
  { timeout: 180_000 },
  async () => {
    let seed = 20;
    // Park and Miller 1988: the times are random, and the same in each run of this test.
    const random = (): number => (seed = (seed * 48271) % 2147483647) / 2147483647;
    const interrupt = async (index: number): Promise<Ended> => {
      const run = `random-${index}`;
      const one = start(run, 'often.yaml');
      const [name, isAlone, isKilled] = [NAMES[Math.floor(3 * random())]!, random() < 0.5, random() < 0.2];
      await delay(8000 * random());
      if (isKilled) one.signalAlone('SIGKILL');
      else if (isAlone) one.signalAlone(name);
      else one.signal(name);
      const ended = await one.ended;
      const how = `${run}: ${isKilled ? 'SIGKILL' : name} ${isAlone ? 'to one' : 'to all'}, ${ended.stderr}`;
      // One whose parent was killed sees so itself.
      await expect.poll(() => membersOf(one.group), { timeout: 10_000, message: how }).toEqual([]);
      if (!isKilled) expect(ended.status ?? STATUS[ended.killedBy as Name], how).toBe(STATUS[name]);
      if (!existsSync(join(folder, run, 'checkpoints'))) return ended;
      const files = readdirSync(join(folder, run, 'checkpoints'));
      if (!isKilled)
        expect(
          files.filter((file) => file.endsWith('.tmp')),
          how,
        ).toEqual([]);
      return ended;
    };
    const queue = Array.from({ length: 20 }, (_, index) => index);
    const worker = async (): Promise<void> => {
      for (let index = queue.shift(); index !== undefined; index = queue.shift()) await interrupt(index);
    };
    await Promise.all([worker(), worker(), worker(), worker()]);
  },
);
