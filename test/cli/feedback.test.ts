import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { KeptRun } from '../../src/calibrate/index.js';
import { ProfileStore, keepRun, keptRuns, machineHere, storeHome } from '../../src/calibrate/index.js';
import { composeText } from '../../src/train/index.js';
import { cli, json } from './in-process.js';
import { addLocalVersion } from './local-version.js';
import { createFolder, removeFolder } from './support.js';

let folder: string;
const fail = ({ message }: Error): never => expect.fail(message);
const store = new ProfileStore(storeHome(process.env), fail);
const kept = (): KeptRun[] => keptRuns(store, 'local', machineHere(), fail);

const addVersion = (): unknown => addLocalVersion(store);

beforeAll(() => {
  folder = createFolder({ 'text.txt': composeText({ bytes: 4096, seed: 0 }) });
  addVersion();
});
afterAll(() => removeFolder(folder));

const MODEL =
  '--model gpt2 --model-option width=32 --model-option depth=1 --model-option heads=2 --model-option headWidth=16 --model-option keyValueHeads=2 --model-option mlpWidth=64 --model-option vocabulary=256 --model-option sequence=32';

it('a run goes into the evidence of the profile that it was predicted by, whose version the run folder names', async () => {
  const run = await json<{ evidence: { profile: string; id: string }; hardwareVersion: object }>(
    `train ${MODEL} --chips 1 --batch 4 --text text.txt --steps 16 --run run`,
    folder,
  );
  expect(run.hardwareVersion).toMatchObject({ name: 'local', version: 1 });
  const [first] = kept();
  expect(first).toMatchObject({ version: 1, evidence: { kind: 'run', ranks: 1, job: { hardware: 'local' } } });
  expect(first!.evidence.spans.length).toBeGreaterThan(3);
  // Neither what it was trained on nor where that lies.
  expect(JSON.stringify(first!.evidence.job)).not.toContain('text.txt');
  expect(JSON.parse(readFileSync(join(folder, 'run', 'version.json'), 'utf8'))).toMatchObject({
    name: 'local',
    version: 1,
  });
  expect(await json('compare run', folder)).toMatchObject({
    runs: [{ hardwareVersion: { name: 'local', version: 1 } }],
  });
});

it('too short a run is not added, and it is said why', async () => {
  const before = kept().length;
  const { stdout } = await cli(
    `train ${MODEL} --chips 1 --batch 4 --text text.txt --steps 3 --run short`.split(' '),
    folder,
  );
  expect(stdout).toContain('Not added to the evidence of local: 1 timed step is too few');
  expect(kept()).toHaveLength(before);
});

it('a machine that became slower is said so by plan, and no longer of a newer version', async () => {
  const [first] = kept();
  for (const minute of [1, 2, 3, 4]) {
    const measuredSeconds = 2 * first!.predicted.p90;
    keepRun(store, 'local', { ...first!, made: `2099-01-01T00:0${minute}:00.000Z`, measuredSeconds });
  }
  const plan = `plan ${MODEL} --hardware local --chips 2 --batch 8 --microbatches 1`;
  expect(await json(plan, folder)).toMatchObject({ drift: { direction: 'slower' } });
  expect((await cli(plan.split(' '), folder)).stdout).toMatch(
    /^Drift: \d+ of the last \d+ runs took more than 8 of 10 .* this machine is slower than local, version 1/m,
  );
  expect((await json<{ runs: { drift: object }[] }>('compare run', folder)).runs[0]!.drift).toMatchObject({
    direction: 'slower',
  });
  addVersion();
  expect(await json(plan, folder)).toMatchObject({ drift: null, hardwareVersion: { version: 2 } });
});
