/** Output that nobody reads any more, or that can't be written: no stack trace, and a training loses nothing. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { listCheckpoints } from '../../src/train/index.js';
import { createFolder, json, removeFolder } from './support.js';

const MAIN = join(dirname(fileURLToPath(import.meta.url)), '../../dist/src/cli/main.js');
const SIMULATE = 'simulate --model vit-tiny --hardware tpu-v4 --chips 2 --batch 8 --mesh data=2';

let folder: string;
beforeAll(async () => {
  folder = createFolder();
  await json('text text.txt --bytes 20000', folder);
});
afterAll(() => removeFolder(folder));

/** @param redirected what a shell does with the output; the status is the CLI's */
function shell(line: string, redirected: string) {
  const script = `{ "$0" "$1" ${line} 2>error; echo $? >status; } ${redirected}`;
  const { stdout } = spawnSync('sh', ['-c', script, process.execPath, MAIN], { cwd: folder, encoding: 'utf8' });
  const read = (name: string): string => readFileSync(join(folder, name), 'utf8');
  return { stdout, status: Number(read('status')), stderr: read('error') };
}

it('whoever reads the first line of a report and leaves has seen enough: no error, and nothing is said', () => {
  const { stdout, ...rest } = shell(SIMULATE, '| head -n 1');
  expect(rest).toEqual({ status: 0, stderr: '' });
  expect(stdout).toMatch(/^vit-tiny on 2 × tpu-v4.*\n$/);
});

it('whoever reads the first lines of a training and leaves hangs up: it ends with a checkpoint of its last step', () => {
  const train = 'train --model llama-tiny --model-option depth=1 --text text.txt --batch 8 --mesh data=2';
  const { status, stderr } = shell(`${train} --hardware local --steps 400 --run left`, '| head -n 4');
  expect(status).toBe(129);
  const lines = readFileSync(join(folder, 'left/metrics.jsonl'), 'utf8').trimEnd().split('\n');
  const { step } = JSON.parse(lines.at(-1)!) as { step: number };
  expect(step).toBeLessThan(400);
  expect(listCheckpoints(join(folder, 'left')).map((one) => one.step)).toEqual([step]);
  expect(stderr).toBe(
    '\nSIGHUP: ending after the step in flight; once more ends at once\n' +
      `step ${step} and all before it are safe: meshwright train --resume left goes on\n`,
  );
});

it.runIf(existsSync('/dev/full'))('output on a disk that is full is an error that says so', () => {
  const said =
    'meshwright: WRITE_FAILED at the output: expected all of it to be written, got no space left on the device';
  expect(shell(`${SIMULATE} --json`, '>/dev/full')).toEqual({ stdout: '', status: 1, stderr: `${said}\n` });
});
