/** A run folder is one process' at a time, whoever else tries and whatever was left behind. */
import { fork, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { holdingRuns } from '../../src/cli/run-lock.js';
import type { RunningProcess } from '../../src/cli/running-process.js';
import { fateOf, processHere } from '../../src/cli/running-process.js';
import { createFolder, removeFolder } from './support.js';

const FIXTURE = fileURLToPath(new URL('lock-fixture.mjs', import.meta.url));

let folder: string;
beforeEach(() => (folder = createFolder()));
afterEach(() => removeFolder(folder));

/** One that was there. */
const endedProcess = (): RunningProcess => ({ ...processHere(), pid: spawnSync('true').pid, started: '1' });

function leaveBehind(holder: object): void {
  mkdirSync(join(folder, '.in-use'));
  writeFileSync(join(folder, '.in-use/process.json'), JSON.stringify(holder));
}
let made = 0;
/** What a process writes, with a new id. */
const holderOf = (one: RunningProcess) => ({
  ...one,
  id: `00000000-0000-4000-8000-${String(++made).padStart(12, '0')}`,
});

const tryIt = () => holdingRuns((hold) => Promise.resolve(hold(folder)));

it('is had until the work ends, well or not, and nothing is left then', async () => {
  await holdingRuns(async (hold) => {
    hold(folder);
    expect(readdirSync(folder)).toEqual(['.in-use']);
    await expect(tryIt()).rejects.toMatchObject({
      code: 'RUN_INVALID',
      exitStatus: 2,
      detail: { place: folder, got: `one that process ${process.pid} is training` },
    });
  });
  expect(readdirSync(folder)).toEqual([]);
  const error = new Error('no');
  await expect(
    holdingRuns((hold) => {
      hold(folder);
      return Promise.reject(error);
    }),
  ).rejects.toBe(error);
  expect(readdirSync(folder)).toEqual([]);
});

it('that was deleted meanwhile, and made again by another process, is left to that one', async () => {
  await holdingRuns((hold) => {
    hold(folder);
    rmSync(join(folder, '.in-use'), { recursive: true });
    leaveBehind(holderOf({ ...processHere(), host: 'other', boot: 'other' }));
    return Promise.resolve();
  });
  expect(existsSync(join(folder, '.in-use/process.json'))).toBe(true);
  await holdingRuns((hold) => {
    rmSync(join(folder, '.in-use'), { recursive: true });
    hold(folder);
    rmSync(folder, { recursive: true });
    return Promise.resolve();
  });
  expect(existsSync(folder)).toBe(false);
});

describe('of what others left behind', () => {
  it('that of a process which is gone is replaced', async () => {
    leaveBehind(holderOf(endedProcess()));
    await tryIt();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('that of a process whose machine may be running is refused, with the machine and what to delete', async () => {
    leaveBehind(holderOf({ pid: 7, host: 'elsewhere' }));
    await expect(tryIt()).rejects.toMatchObject({
      message: expect.stringMatching(/got one that process 7 on elsewhere is training; end that first; .*\.in-use$/),
    });
    expect(existsSync(join(folder, '.in-use'))).toBe(true);
  });

  it('what does not say whose it is, or leads elsewhere, is refused and stays', async () => {
    const of = (write: () => void, got: RegExp) => ({ write, got });
    const path = join(folder, '.in-use');
    for (const { write, got } of [
      of(() => writeFileSync(path, '123'), /a path that leads through a file/),
      of(() => leaveBehind({ pid: 1 }), /it has another form/),
      of(() => leaveBehind({ ...endedProcess(), id: '../..' }), /it has another form/),
    ]) {
      write();
      await expect(tryIt()).rejects.toMatchObject({ code: 'RUN_INVALID', detail: { got: expect.stringMatching(got) } });
      expect(readdirSync(folder)).toEqual(['.in-use']);
      rmSync(path, { recursive: true });
    }
  });
});

describe('of several processes that try at once', () => {
  const children: ChildProcess[] = [];
  afterAll(() => children.forEach((child) => child.disconnect()));
  const answer = async (child: ChildProcess): Promise<string> => String((await once(child, 'message'))[0]);

  const startAll = (): void => {
    while (children.length < 4) children.push(fork(FIXTURE));
  };

  it('each gets a new folder of its own, also below one that nobody has made yet', async () => {
    startAll();
    for (let round = 0; round < 10; round++) {
      const base = join(folder, `runs-${round}`, 'new');
      const answers = Promise.all(children.map(answer));
      for (const child of children) child.send(base);
      expect((await answers).sort()).toEqual([base, ...[2, 3, 4].map((number) => `${base}-${number}`)]);
    }
  });

  it.each(['nobody had', 'a process that is gone has'])('one gets what %s, every time', async (before) => {
    startAll();
    for (let round = 0; round < 25; round++) {
      if (before !== 'nobody had') leaveBehind(holderOf(endedProcess()));
      const answers = Promise.all(children.map(answer));
      for (const child of children) child.send(folder);
      const got = await answers;
      const winner = got.indexOf('has it');
      const { pid } = children[winner]!;
      expect(got.filter((one) => one === 'has it')).toHaveLength(1);
      for (const one of got.filter((_, index) => index !== winner))
        expect(one).toMatch(/^RUN_INVALID .* one that process \d+ is training/);
      expect(readFileSync(join(folder, '.in-use/process.json'), 'utf8')).toContain(`"pid": ${pid}`);
      const given = answer(children[winner]!);
      children[winner]!.send('');
      expect(await given).toBe('gave it back');
      expect(readdirSync(folder)).toEqual([]);
    }
  });
});

describe('a process', () => {
  const here: RunningProcess = { ...processHere(), machine: 'm', boot: 'b', pids: 'p' };
  const gone = { ...here, pid: endedProcess().pid };

  it('runs while its number is there, with the same start', () => {
    expect(fateOf(here, here)).toBe('runs');
    expect(fateOf(gone, here)).toBe('gone');
    // Its number was given to another one.
    if (here.started !== undefined) expect(fateOf({ ...here, started: '1' }, here)).toBe('gone');
  });

  it('is gone with the machine’s last start, where it is the same machine by name and number', () => {
    expect(fateOf({ ...here, boot: 'before' }, here)).toBe('gone');
    expect(fateOf({ ...here, boot: 'before', machine: undefined }, here)).toBe('gone');
  });

  it.each<[string, Partial<RunningProcess>]>([
    ['another machine', { host: 'h', boot: 'c' }],
    ['another machine of the same name', { machine: 'n', boot: 'c' }],
    ['another machine from the same image', { host: 'h', boot: 'c', machine: 'm' }],
    ['another container', { pids: 'q', host: 'h' }],
    ['another container that has the machine’s name', { pids: 'q' }],
  ])('of %s can’t be seen', (_, other) => {
    expect(fateOf({ ...gone, ...other }, here)).toBe('unknown');
  });

  it('of a machine that tells nothing but its name goes by its number', () => {
    const bare = { pid: process.pid, host: here.host };
    expect(fateOf(bare, bare)).toBe('runs');
    expect(fateOf({ ...bare, pid: gone.pid }, bare)).toBe('gone');
    expect(fateOf({ ...bare, host: 'h' }, bare)).toBe('unknown');
  });

  it('is the same after its machine got another name', () => {
    expect(fateOf({ ...here, host: 'before' }, here)).toBe('runs');
  });
});
