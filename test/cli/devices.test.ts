import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Devices } from '../../src/cli/devices.js';
import { FAMILY_NAMES } from '../../src/runtime/index.js';
import { cli, createFolder, json, removeFolder } from './support.js';

const folder = createFolder({ 'a.txt': 'some text to train on. '.repeat(40) });
afterAll(() => removeFolder(folder));

describe('hardware --local', () => {
  let devices: Devices;
  beforeAll(async () => {
    devices = await json<Devices>('hardware --local', folder);
  });
  const find = (name: string) => devices.families.find((family) => family.name === name)!;

  it('lists every family, with what it computes on or why it is missing and what it needs', () => {
    expect(devices).toMatchObject({ schema: 'meshwright/devices@1', node: process.version });
    expect(devices.families.map(({ name }) => name)).toEqual(FAMILY_NAMES);
    for (const { name, device, missing } of devices.families) {
      expect(device === null, name).toBe(missing !== null);
      expect(device ?? `${missing!.why}; ${missing!.needs}`, name).toMatch(/\w/);
    }
  });

  it('finds those that come with Meshwright, on the cores that there are', () => {
    const { cores } = devices;
    expect(find('onnx').device).toBe(cores === 1 ? 'CPU, 1 thread' : `CPU, ${cores} threads`);
    expect(find('reference').device).toBe('CPU, 1 thread');
  });

  it('says the same to people', async () => {
    const { status, stdout } = await cli('hardware --local', folder);
    expect(status).toBe(0);
    for (const { name, title, missing } of devices.families) {
      expect(stdout).toMatch(new RegExp(`^${name} .*${title.replaceAll(/[()+]/g, '.')}$`, 'm'));
      if (missing !== null) expect(stdout).toContain(`${name}: ${missing.why}\n  needs ${missing.needs}\n`);
    }
  });

  it('and a family that is missing is refused before anything is written', async ({ skip }) => {
    const absent = devices.families.find(({ missing }) => missing !== null);
    if (absent === undefined) return skip('every family is here');
    const { status, stderr } = await cli(
      `train --model gpt-tiny --batch 8 --text a.txt --family ${absent.name}`,
      folder,
    );
    expect(status).toBe(2);
    expect(stderr).toContain(`DEVICE_MISSING at kernel family ${absent.name}: expected ${absent.title}`);
    expect(stderr).toContain(absent.missing!.needs);
    expect(existsSync(join(folder, 'runs'))).toBe(false);
  });
});
