/** Which profile a training here is predicted by, and when this machine is measured first. */
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ProfileStore, storeHome } from '../../src/calibrate/index.js';
import { profileOfTraining } from '../../src/cli/machine-profile.js';
import { searchPlansSafely } from '../../src/cli/search-task.js';
import { toJobInput } from '../../src/cli/task-choice.js';
import { checkPlan, parsePlan, resolveTask } from '../../src/job/index.js';
import type { SearchProgress } from '../../src/tui/services.js';
import { addLocalVersion } from './local-version.js';

const store = new ProfileStore(storeHome(process.env), ({ message }) => expect.fail(message));
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'meshwright-machine-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const choice = (hardware: string) => ({ model: 'vit-tiny', hardware, chips: 2, batch: 32 });
const profileFor = (hardware: string, family: 'onnx' | 'tfjs-wasm' = 'onnx'): string | undefined => {
  const task = resolveTask({ ...toJobInput(choice(hardware)), training: { family } });
  return profileOfTraining(hardware, checkPlan(task, parsePlan('data=2 microbatches=1')));
};
const search = async (hardware: string): Promise<SearchProgress> => {
  const { port1, port2 } = new MessageChannel();
  port1.close();
  const wish = { breadth: 'usual', settings: { data: '2', microbatches: '1' } } as const;
  const outcome = await searchPlansSafely({ task: choice(hardware), wish, port: port2 as never, threads: 1 });
  if ('progress' in outcome) return outcome.progress;
  return expect.fail(outcome.detail.got);
};

it('where this machine has no profile of its own, it is measured first, which plans say', async () => {
  expect(profileFor('local')).toBeUndefined();
  expect((await search('local')).plans.every(({ measuresFirst }) => measuresFirst === true)).toBe(true);
});

it('who asks for the shipped profile by name, or for a file, gets that', () => {
  expect(profileFor('local@shipped')).toBe('local');
  const file = join(folder, 'mine.yaml');
  copyFileSync('hardware-profiles/local.yaml', file);
  expect(profileFor(file)).toBe(file);
});

it('once it is measured, that is what trainings and plans are predicted by, of this family alone', async () => {
  const { path } = addLocalVersion(store);
  expect(profileFor('local')).toBe(path);
  expect(profileFor('local@1')).toBe(path);
  expect(profileFor('local', 'tfjs-wasm')).toBeUndefined();
  expect((await search('local')).plans.some(({ measuresFirst }) => measuresFirst === true)).toBe(false);
});
