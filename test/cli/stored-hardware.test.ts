import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { NewVersion, StoredProfile } from '../../src/calibrate/index.js';
import { ProfileStore, fingerprintHere, storeHome } from '../../src/calibrate/index.js';
import { loadHardware } from '../../src/hardware/index.js';
import { cli, json } from './in-process.js';
import { createFolder, editedProfile, removeFolder } from './support.js';

let folder: string;
const store = new ProfileStore(storeHome(process.env), ({ message }) => expect.fail(message));
beforeAll(() => (folder = createFolder()));
afterEach(() => removeFolder(join(store.home, 'profiles')));
afterAll(() => removeFolder(folder));

/** `local` with another width of a transfer between ranks. */
function addVersion(bandwidth: string, changes: Partial<NewVersion> = {}): StoredProfile {
  const before = 'value: 5.2 GB/s';
  const { text } = editedProfile('local', before, `value: ${bandwidth}`);
  return store.addVersion({
    name: 'local',
    from: null,
    made: '2026-11-22T01:00:00.000Z',
    by: 'calibrate',
    accepted: true,
    reason: 'a test',
    machine: fingerprintHere('onnx'),
    profile: text.replace('defaultStack: onnxruntime-cpu', 'defaultStack: ./stack.yaml'),
    stack: readFileSync('hardware-profiles/stacks/onnxruntime-cpu.yaml', 'utf8'),
    ...changes,
  });
}

interface Simulated {
  readonly stepTimeSeconds: number;
  readonly hardware: string;
  readonly hardwareVersion: { readonly name: string; readonly version: number; readonly path: string } | null;
}
const simulate = (hardware: string): Promise<Simulated> =>
  json<Simulated>(`simulate --model vit-tiny --hardware ${hardware} --chips 2 --batch 32`, folder);

it('a name means the newest accepted version, and the shipped one where there is none', async () => {
  const shipped = await simulate('local');
  expect(shipped.hardwareVersion).toBeNull();
  const { version, path } = addVersion('0.1 GB/s');
  const slower = await simulate('local');
  expect(slower.hardwareVersion).toMatchObject({ name: 'local', version, path });
  expect(slower.stepTimeSeconds).toBeGreaterThan(shipped.stepTimeSeconds);
  addVersion('50 GB/s', { accepted: false });
  expect(await simulate('local')).toEqual(slower);
  addVersion('50 GB/s');
  const faster = await simulate('local');
  expect(faster.hardwareVersion?.version).toBe(3);
  expect(faster.stepTimeSeconds).toBeLessThan(shipped.stepTimeSeconds);
  // And one of them by its number, or what Meshwright comes with.
  expect(await simulate('local@1')).toEqual(slower);
  expect(await simulate('local@shipped')).toEqual(shipped);
});

it('every command says which version it is', async () => {
  addVersion('4 GB/s');
  const words = 'local, version 1 (calibrated 2026-11-22)';
  const job = '--model vit-tiny --hardware local --chips 2 --batch 32';
  expect((await cli(`simulate ${job}`, folder)).stdout).toContain(`vit-tiny on 2 × ${words}, batch 32`);
  expect((await cli(`plan ${job} --microbatches 1`, folder)).stdout).toContain(`vit-tiny on 2 × ${words}, batch 32`);
  expect(await json(`plan ${job} --microbatches 1`, folder)).toMatchObject({ hardwareVersion: { version: 1 } });
  expect((await cli('hardware local', folder)).stdout).toContain(words);
  expect((await cli('hardware', folder)).stdout).toMatch(/^local@1 /m);
});

it('a job file that plan writes names the profile, so that it is predicted by the newest when it is read', async () => {
  addVersion('4 GB/s');
  const job = '--model vit-tiny --hardware local --chips 2 --batch 32 --microbatches 1';
  await cli(`plan ${job} --output job.yaml`, folder);
  expect(readFileSync(join(folder, 'job.yaml'), 'utf8')).toMatch(/^hardware: local$/m);
  addVersion('3 GB/s');
  expect(await json('simulate job.yaml', folder)).toMatchObject({ hardwareVersion: { version: 2 } });
});

it('a version that is damaged is named on stderr, and the one before it is used', async () => {
  const first = addVersion('4 GB/s');
  const second = addVersion('3 GB/s');
  writeFileSync(join(second.folder, 'version.json'), '{}');
  const { status, stdout, stderr } = await cli('hardware local', folder);
  expect({ status, stderr }).toEqual({
    status: 0,
    stderr: expect.stringMatching(/^(meshwright: passed over: HARDWARE_INVALID at .*v2\/version\.json.*\n)$/) as string,
  });
  expect(stdout).toContain(first.path);
});

it('a version that is not there, or no version, is refused', async () => {
  addVersion('4 GB/s');
  const two = await cli('hardware local@2', folder);
  expect(two).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('expected one of local@1, got local@2') as string,
  });
  const odd = await cli('hardware local@newest', folder);
  expect(odd.stderr).toContain('local@ and the number of a version, or local@shipped');
});

it('what is loaded by name in a program is what Meshwright ships', () => {
  addVersion('0.1 GB/s');
  expect(loadHardware('local').document.topology).toMatchObject({
    transferBandwidthPerChip: { peak: { value: '5.2 GB/s' } },
  });
});
