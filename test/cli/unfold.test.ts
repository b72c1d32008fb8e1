/** `simulate --unfold`, `--jitter` and `--seed` as a person runs them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { JobSimulation } from '../../src/cli/assess.js';
import { cli, json } from './in-process.js';
import { createFolder, removeFolder } from './support.js';

const JOB = 'simulate --model vit-tiny --hardware tpu-v4 --chips 64 --batch 256 --mesh data=16,model=4';

let folder: string;
beforeAll(() => {
  folder = createFolder();
});
afterAll(() => removeFolder(folder));

const simulate = (flags: string): Promise<JobSimulation> => json<JobSimulation>(`${JOB} ${flags}`.trim(), folder);

it('all chips take as long as the one that stands for them', async () => {
  const one = await simulate('');
  const all = await simulate('--unfold');
  expect(one).toMatchObject({ folded: true, unfolded: null });
  expect(all).toMatchObject({ folded: false, unfolded: { jitter: null, lastRank: 0 } });
  const { events, flows } = all.unfolded!;
  expect(events).toBeGreaterThanOrEqual(flows);
  expect({ ...all, folded: true, unfolded: null, links: null }).toEqual({ ...one, links: null });
});

it('jitter makes the step longer and chips differ, the same for the same seed', async () => {
  const even = await simulate('--unfold');
  const line = `${JOB} --jitter 0.2 --seed 7 --json`;
  const [first, again] = [await cli(line, folder), await cli(line, folder)];
  expect(first.stdout).toBe(again.stdout);
  const uneven = JSON.parse(first.stdout) as JobSimulation;
  expect(uneven.unfolded!.jitter).toEqual({ coefficientOfVariation: 0.2, seed: 7 });
  expect(uneven.stepTimeSeconds).toBeGreaterThan(even.stepTimeSeconds);
  const { idleSeconds, endSeconds } = uneven.unfolded!.chips;
  expect(idleSeconds.max).toBeGreaterThan(idleSeconds.min);
  expect(endSeconds.max).toBe(uneven.stepTimeSeconds);
  expect((await simulate('--jitter 0.2 --seed 8')).stepTimeSeconds).not.toBe(uneven.stepTimeSeconds);
});

it('a slow chip unfolds by itself, holds up all, and is on the trace', async () => {
  const even = await simulate('');
  const slow = await simulate('--fault chip=17:1.5 --trace slow.json');
  expect(slow.unfolded).not.toBeNull();
  expect(slow.stepTimeSeconds).toBeGreaterThan(even.stepTimeSeconds);
  expect(slow.stepTimeSeconds).toBeLessThan(1.5 * even.stepTimeSeconds);
  expect(readFileSync(join(folder, 'slow.json'), 'utf8').length).toBeGreaterThan(1000);
});
