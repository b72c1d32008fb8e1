/** Runs on disks that are too small, found out before they begin or in the middle of a file. */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requireRoom } from '../../src/cli/room.js';
import type { MeshwrightError } from '../../src/errors.js';
import { readJob, resolveJob } from '../../src/job/index.js';
import { checkpointBytes } from '../../src/train/index.js';
import { createFolder, json, removeFolder } from '../cli/support.js';

const MAIN = join(dirname(fileURLToPath(import.meta.url)), '../../dist/src/cli/main.js');
const TRAIN =
  'train --model llama-tiny --model-option depth=1 --text text.txt --batch 8 --mesh data=2 --hardware local';
const hasLimits = spawnSync('prlimit', ['--version']).status === 0;

let folder: string;
let checkpointSize: number;
beforeAll(async () => {
  folder = createFolder();
  await json('text text.txt --bytes 20000', folder);
  await json(`${TRAIN} --steps 4 --run first`, folder);
  checkpointSize = statSync(join(folder, 'first/checkpoints/step-000004.safetensors')).size;
}, 60_000);
afterAll(() => removeFolder(folder));

/** The CLI where no file may grow beyond so many bytes: the kernel refuses what is beyond, in the middle of a write. */
function limited(bytes: number, line: string) {
  const { status, stderr } = spawnSync('prlimit', [`--fsize=${bytes}`, process.execPath, MAIN, ...line.split(' ')], {
    cwd: folder,
    encoding: 'utf8',
  });
  return { status, stderr };
}

function copy(name: string): string {
  cpSync(join(folder, 'first'), join(folder, name), { recursive: true });
  return name;
}
const read = (path: string): string => readFileSync(join(folder, path), 'latin1');

describe.runIf(hasLimits)('on a disk that is full in the middle of a file', { timeout: 60_000 }, () => {
  it('a run ends with the old checkpoint whole, nothing half written beside it, and goes on from there', async () => {
    const run = copy('checkpoint');
    const before = read(`${run}/checkpoints/step-000004.safetensors`);
    const { status, stderr } = limited(checkpointSize - 1000, `train --resume ${run} --steps 8`);
    expect(status, stderr).toBe(1);
    expect(stderr).toMatch(
      /^meshwright: WRITE_FAILED at checkpoint\/checkpoints\/step-000008.safetensors: expected .*, got EFBIG[^;]*; .*step 4 and all before it are safe: meshwright train --resume checkpoint goes on\n$/m,
    );
    expect(readdirSync(join(folder, run, 'checkpoints'))).toEqual(['step-000004.safetensors']);
    expect(read(`${run}/checkpoints/step-000004.safetensors`)).toBe(before);
    const { steps } = await json<{ steps: number }>(`train --resume ${run}`, folder);
    expect(steps).toBe(4);
    expect(existsSync(join(folder, run, 'checkpoints/step-000008.safetensors'))).toBe(true);
  });

  it('no half of a line stays in the metrics', () => {
    const run = copy('metrics');
    const path = `${run}/metrics.jsonl`;
    const before = read(path);
    // What else it writes is no longer than it was.
    const sizes = ['job.yaml', 'profile.yaml', 'stack.yaml'].map((name) => statSync(join(folder, run, name)).size);
    const { status, stderr } = limited(
      Math.max(before.length + 50, ...sizes.map((size) => size + 50)),
      `train --resume ${run} --steps 100000`,
    );
    expect(status, stderr).toBe(1);
    expect(stderr).toMatch(/WRITE_FAILED at metrics\/metrics\.jsonl: .*EFBIG.*step \d+ and all before it are safe/);
    const lines = read(path).split('\n');
    expect(lines.at(-1)).toBe('');
    for (const line of lines.slice(0, -1)) expect(() => void JSON.parse(line)).not.toThrow();
    expect(read(path).startsWith(before)).toBe(true);
  });
});

describe('where it is known that a disk is too small', () => {
  const job = (checkpoint: object) =>
    resolveJob(
      { model: 'llama-tiny', hardware: 'local', chips: 1, batch: 8, training: { text: 'x', checkpoint } },
      () => true,
    );
  const refusal = (checkpoint: object, steps: number): MeshwrightError | undefined => {
    try {
      requireRoom(join(folder, 'new/er'), job(checkpoint), { steps, stepSeconds: 1 });
      return undefined;
    } catch (error) {
      return error as MeshwrightError;
    }
  };

  it('what a checkpoint takes is known to some thousand bytes', () => {
    const estimate = checkpointBytes(resolveJob(readJob(join(folder, 'first/job.yaml')), () => true));
    expect(checkpointSize).toBeGreaterThan(estimate);
    expect(checkpointSize).toBeLessThan(estimate + 20_000);
  });

  it('a run is refused before it begins, with what it takes and what is free', () => {
    // More checkpoints than any disk holds.
    const refused = refusal({ everySteps: 1, keep: 2 ** 40 }, 2 ** 41);
    expect(refused).toMatchObject({ code: 'DISK_FULL', exitStatus: 2 });
    expect(refused!.message).toMatch(/expected room for checkpoints, \d+ × [\d.]+ MB, got [\d.]+ .B free; make room/);
  });

  it('only for as many checkpoints as it will keep, and make', () => {
    expect(refusal({ everySteps: 1, keep: 2 }, 2 ** 41)).toBeUndefined();
    expect(refusal({ everySteps: 2 ** 40, keep: 2 ** 40 }, 2 ** 41)).toBeUndefined();
    expect(refusal({ everySeconds: 2 ** 40, keep: 2 ** 40 }, 2 ** 41)).toBeUndefined();
    expect(refusal({ keep: 0 }, 2 ** 41)).toBeUndefined();
  });
});
