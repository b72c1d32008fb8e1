/**
 * Every kind of bad input that a person gives, as they give it: the built program in a process of its own. It answers with
 * status 2 and one message that says code, place, what is expected and what was got; no stack trace, nothing left behind.
 */
import { cpSync, symlinkSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkpoints } from './kinds/checkpoints.js';
import { data } from './kinds/data.js';
import { devices } from './kinds/devices.js';
import { disks } from './kinds/disks.js';
import { jobs } from './kinds/jobs.js';
import type { Kind } from './kinds/kind.js';
import { CHECKPOINT, TEXT } from './kinds/kind.js';
import { plans } from './kinds/plans.js';
import { resumptions } from './kinds/resumptions.js';
import type { Ended } from './support.js';
import { cli, contents, createFolder, expectRefused, removeFolder } from './support.js';

const KINDS = { data, checkpoints, resumptions, plans, jobs, disks, devices };
const ALL = Object.entries(KINDS).flatMap(([of, kinds]) =>
  Object.entries(kinds).map(([what, kind]) => ({ of, what, kind })),
);

interface Outcome {
  readonly ended: Ended;
  readonly before: Record<string, string>;
  readonly after: Record<string, string>;
}

const outcomes = new Map<Kind, Promise<Outcome>>();
const made: string[] = [];

/** A run of two steps in a folder with its text, made once. */
let trained: Promise<string>;

async function trainOnce(): Promise<string> {
  const folder = createFolder(TEXT);
  made.push(folder);
  const line = 'train --model gpt-tiny --hardware local --batch 2 --steps 2 --text a.txt --run run';
  const { status, stderr } = await cli(line, folder);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return folder;
}

async function start({ line, files, links = {}, run }: Kind): Promise<Outcome> {
  const folder = createFolder(files);
  made.push(folder);
  if (run !== undefined) {
    cpSync(await trained, folder, { recursive: true });
    run(join(folder, CHECKPOINT));
  }
  for (const [path, target] of Object.entries(links)) symlinkSync(target, join(folder, path));
  const before = contents(folder);
  const ended = await cli(line, folder);
  return { ended, before, after: contents(folder) };
}

beforeAll(() => {
  // So that one is missing on any machine.
  process.env['CUDA_VISIBLE_DEVICES'] = '';
  // As many at once as there are cores, at least two: most of a process is its start.
  const waiting = ALL.map(({ kind }) => kind);
  const settle = new Map<Kind, (outcome: Promise<Outcome>) => void>();
  for (const kind of waiting) outcomes.set(kind, new Promise((resolve) => settle.set(kind, resolve)));
  trained = trainOnce();
  const work = async (isFirst: boolean): Promise<void> => {
    // The training takes the first one's place.
    if (isFirst) await trained.catch(() => undefined);
    for (let kind = waiting.shift(); kind !== undefined; kind = waiting.shift()) {
      const outcome = start(kind);
      settle.get(kind)!(outcome);
      await outcome.catch(() => undefined);
    }
  };
  for (let worker = 0; worker < Math.max(2, availableParallelism()); worker++) void work(worker === 0);
});
afterAll(() => made.forEach(removeFolder));

describe.each(Object.keys(KINDS))('bad %s', (of) => {
  it.each(ALL.filter((one) => one.of === of))('$what', { timeout: 120_000 }, async ({ kind }) => {
    const { ended, before, after } = await outcomes.get(kind)!;
    const { stdout, stderr } = kind.before ?? { stdout: /^/, stderr: /^/ };
    expect(ended).toMatchObject({ stdout: expect.stringMatching(stdout), stderr: expect.stringMatching(stderr) });
    const rest = { stdout: ended.stdout.replace(stdout, ''), stderr: ended.stderr.replace(stderr, '') };
    expectRefused({ ...ended, ...rest }, kind);
    expect(after).toEqual(before);
  });
});

it('are more than forty kinds', () => expect(ALL.length).toBeGreaterThan(40));
