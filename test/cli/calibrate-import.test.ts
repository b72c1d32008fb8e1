import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ProfileStore, storeHome } from '../../src/calibrate/index.js';
import { ncclOutput } from '../calibrate/import/files.js';
import { cli, json } from './in-process.js';
import { createFolder, expectRefused, removeFolder } from './support.js';

let folder: string;
const store = new ProfileStore(storeHome(process.env), ({ message }) => expect.fail(message));
beforeAll(() => {
  folder = createFolder();
  // Links that are three times as slow as the profile's.
  const lines = Array.from({ length: 16 }, (_, at) => {
    const bytes = 2 ** at * 64 * 1024;
    return { bytes, microseconds: 20 + ((3 * bytes) / (230e9 / 1.75)) * 1e6 };
  });
  writeFileSync(join(folder, 'all_reduce.txt'), ncclOutput('all_reduce_perf', 8, 8, lines));
});
afterAll(() => removeFolder(folder));

describe('calibrate on what other tools measured', () => {
  it('corrects the links of a cluster by nccl-tests, as a version of its profile that its name then means', async () => {
    const predict = () =>
      json<{ stepTimeSeconds: number; hardwareVersion: object | null }>(
        'simulate --model llama-2-7b --hardware a100-80gb-sxm --plan data=1,model=8 --microbatches 1 --batch 8',
        folder,
      );
    const before = await predict();
    const { version } = await json<{ version: number }>(
      'calibrate --runs all_reduce.txt --hardware a100-80gb-sxm',
      folder,
    );
    expect(store.version('a100-80gb-sxm', version)).toMatchObject({ by: 'import', machine: null, accepted: true });
    const after = await predict();
    expect(after.hardwareVersion).toMatchObject({ name: 'a100-80gb-sxm', version });
    expect(after.stepTimeSeconds).toBeGreaterThan(1.1 * before.stepTimeSeconds);
  });

  it('wants to know of which profile', async () => {
    expectRefused(await cli('calibrate --runs all_reduce.txt', folder), {
      code: 'USAGE',
      place: '--hardware',
      says: ['as in --hardware a100-80gb-sxm'],
    });
  });

  it('refuses what it cannot read, with what it can', async () => {
    writeFileSync(join(folder, 'notes.txt'), 'it was slow');
    expectRefused(await cli('calibrate --runs notes.txt --hardware a100-80gb-sxm', folder), {
      code: 'RUN_INVALID',
      place: 'notes.txt',
      says: ['nccl-tests output', 'text that begins with "it was slow"'],
    });
  });
});

it('without --runs, kept runs are needed', async () => {
  expectRefused(await cli('calibrate', folder), {
    code: 'RUN_INVALID',
    place: 'evidence of local',
    says: ['meshwright train adds each run'],
  });
});
