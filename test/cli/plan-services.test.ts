/** What the UI asks for before anything is trained, without its threads. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findFiles } from '../../src/cli/found-files.js';
import { createLook } from '../../src/cli/plan-look-task.js';
import { searchOf } from '../../src/cli/search-dimensions.js';
import { formatNumberSet, readJob } from '../../src/job/index.js';
import type { SearchWish } from '../../src/tui/services.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'meshwright-plans-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));
const write = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

const USUAL: SearchWish = { breadth: 'usual', settings: {} };
const TINY = { model: 'vit-tiny', hardware: 'local', chips: 2, batch: 32 };
const POD = { model: 'vit-22b', hardware: 'tpu-v4', chips: 64, batch: 4096 };
const dimension = (wish: SearchWish, name: string, of = POD) =>
  searchOf(of, wish).dimensions.find((one) => one.name === name)!;

describe('the dimensions of a search', () => {
  it('are the axes, the microbatches and the options that a search varies', () => {
    expect(searchOf(POD, USUAL).dimensions.map(({ name }) => name)).toEqual([
      ...['pipe', 'replica', 'data', 'sequence', 'model', 'microbatches', 'schedule', 'virtual-stages'],
      ...['rematerialize', 'activations', 'linears', 'optimizer-offload', 'shard', 'compute'],
    ]);
  });

  it('have what divides, and the values that the hardware has', () => {
    expect(dimension(USUAL, 'model').values).toEqual(['1', '2', '4', '8', '16', '32', '64']);
    expect(dimension(USUAL, 'linears').values).toEqual(['synchronous', 'ring', 'bidirectional']);
    expect(dimension(USUAL, 'linears').searched).toBe('synchronous, bidirectional');
    expect(dimension({ ...USUAL, breadth: 'full' }, 'linears').searched).toBe('synchronous, ring, bidirectional');
    expect(dimension(USUAL, 'linears', { ...POD, hardware: 'h100-80gb-sxm' }).values).toEqual([
      'synchronous',
      'ring-bulk',
    ]);
  });

  it('fixed ones are the space, free ones are left out of it', () => {
    const settings = { model: '8', microbatches: '4..16', linears: 'ring,synchronous', shard: null };
    const { space } = searchOf(POD, { breadth: 'full', settings });
    expect(formatNumberSet(space.mesh!.model!)).toBe('8');
    expect(formatNumberSet(space.microbatches!)).toBe('4..16');
    expect(space).toMatchObject({ breadth: 'full', options: { linears: ['ring', 'synchronous'] } });
    expect(Object.keys(space.options!)).toEqual(['linears']);
  });

  it('a job file fixes what its plan and its search say, which can be freed one by one', () => {
    const job = write(
      'job.yaml',
      'model: vit-22b\nhardware: h100-80gb-sxm\nchips: 8\nplan: { mesh: { model: 8 }, stageLayers: [1, 2] }\nsearch: { linears: [synchronous, ring], headroom: 10% }\n',
    );
    const of = { ...POD, model: job };
    const { task, space } = searchOf(of, USUAL);
    expect([task.model.name, task.hardware.name, task.chips]).toEqual(['vit-22b', 'tpu-v4', 64]);
    expect(space.headroom).toBe(0.1);
    expect(dimension(USUAL, 'model', of).setting).toBe('8');
    expect(dimension(USUAL, 'linears', of).setting).toBe('synchronous,ring');
    expect(dimension(USUAL, 'stage-layers', of).setting).toBe('1,2');
    expect(space.options).toEqual({ linears: ['synchronous', 'ring'], stageLayers: [[1, 2]] });
    const freed = searchOf(of, { ...USUAL, settings: { model: null, 'stage-layers': null } }).space;
    expect(freed).toMatchObject({ options: { linears: ['synchronous', 'ring'] } });
    expect(freed.mesh).toBeUndefined();
    expect(freed.options).not.toHaveProperty('stageLayers');
  });

  it('a setting that is none is an error with its place', () => {
    expect(() => searchOf(POD, { ...USUAL, settings: { linears: 'fast' } })).toThrow(/linears/);
  });
});

describe('files to choose from', () => {
  it('are the job files and profiles of a folder; others are passed over', async () => {
    write('job.yaml', 'model: { preset: vit-22b, depth: 24 }\nhardware: tpu-v4\nchips: 64\n');
    write('profile.yaml', 'name: mine\ntitle: My chip\nchip: {}\ntopology: {}\n');
    write('broken.yaml', 'model: [\n');
    write('other.yml', 'services: {}\n');
    write('notes.txt', 'model: vit-22b\n');
    expect(await findFiles(folder)).toEqual({
      models: [
        {
          name: './job.yaml',
          about: 'job file: vit-22b, changed on 64 × tpu-v4',
          fills: { hardware: 'tpu-v4', chips: 64 },
        },
      ],
      hardware: [{ name: './profile.yaml', about: 'profile: My chip' }],
    });
    expect(await findFiles(join(folder, 'none'))).toEqual({ models: [], hardware: [] });
  });
});

describe('a look at a plan', () => {
  const whole = { from: 0, to: 1 };
  const look = async (label: string, window = whole, task = TINY) => {
    const outcome = await createLook()({ kind: 'look', task, label, window });
    if (!('answer' in outcome) || !('bound' in outcome.answer)) throw new Error(JSON.stringify(outcome));
    return outcome.answer;
  };
  const sum = (series: readonly number[] = []): number => series.reduce((total, share) => total + share, 0);

  it('has its kernels and what each axis sends, none of it more than the whole time', async () => {
    const { timeline, bound, parts } = await look('data=2 microbatches=1');
    expect(timeline!.lanes.map(({ name }) => name)).toEqual(['compute', 'data']);
    const { forward, backward, update } = timeline!.lanes[0]!.shares;
    for (const [part, share] of forward!.entries())
      expect(share + backward![part]! + (update?.[part] ?? 0)).toBeLessThanOrEqual(1 + 1e-9);
    expect(sum(backward)).toBeGreaterThan(sum(forward));
    expect(bound.seconds).toBeLessThan(timeline!.toSeconds);
    expect(bound.mfu).toBeGreaterThan(0);
    expect(parts.map(({ part }) => part)).toEqual(['data=2', 'microbatches=1']);
  });

  it('its parts are those of the whole, seen closer', async () => {
    const first = await look('data=2 microbatches=1', { from: 0, to: 0.25 });
    const all = await look('data=2 microbatches=1');
    const shares = (of: typeof all) => of.timeline!.lanes[0]!.shares.forward!;
    const quarter = shares(all).slice(0, shares(all).length / 4);
    expect(sum(shares(first)) / 4).toBeCloseTo(sum(quarter), 6);
  });

  it('of a pipeline has a lane for each stage', async () => {
    const { timeline } = await look('pipe=2 microbatches=4');
    expect(timeline!.lanes.map(({ name }) => name)).toEqual(['stage 0', 'stage 1', 'pipe']);
    // The second stage waits for the first.
    expect(timeline!.lanes[1]!.shares.forward![0]).toBe(0);
  });

  it('of a step with more kernels than can be followed has no timeline, and all else', async () => {
    const { timeline, bound } = await look('data=8,model=8 microbatches=512', whole, POD);
    expect(timeline).toBeNull();
    expect(bound.seconds).toBeGreaterThan(0);
  });

  it('of what is no plan is an error as data', async () => {
    const outcome = await createLook()({ kind: 'look', task: TINY, label: 'data=3 microbatches=1', window: whole });
    expect(outcome).toHaveProperty('code');
  });
});

describe('writing a job', () => {
  it('writes what gives the plan again, and never over another file', async () => {
    const write = (label: string) => createLook()({ kind: 'write', task: TINY, label, path });
    const path = join(folder, 'mine.yaml');
    expect(await write('model=2 microbatches=2')).toEqual({ answer: { written: path } });
    expect(readJob(path)).toMatchObject({
      model: 'vit-tiny',
      hardware: 'local',
      chips: 2,
      batch: 32,
      plan: { mesh: { model: 2 }, microbatches: 2 },
    });
    expect(await write('data=2 microbatches=1')).toMatchObject({ code: 'RUN_EXISTS' });
  });
});
