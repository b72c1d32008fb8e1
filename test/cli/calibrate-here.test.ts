/** Which runs a calibration from the UI is made of, and what becomes of it. */
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { KeptRun } from '../../src/calibrate/index.js';
import {
  ProfileStore,
  keepRun,
  keptRuns,
  machineHere,
  runFolderOf,
  runId,
  storeHome,
} from '../../src/calibrate/index.js';
import { calibrateHere } from '../../src/cli/calibrate-here.js';
import { composeText } from '../../src/train/index.js';
import { cli } from './in-process.js';
import { createFolder, removeFolder } from './support.js';

let folder: string;
const fail = ({ message }: Error): never => expect.fail(message);
const store = new ProfileStore(storeHome(process.env), fail);
const kept = (): KeptRun[] => keptRuns(store, 'local', machineHere(), fail);

const MODEL =
  '--model gpt2 --model-option width=32 --model-option depth=1 --model-option heads=2 --model-option headWidth=16 --model-option keyValueHeads=2 --model-option mlpWidth=64 --model-option vocabulary=256 --model-option sequence=32';
const train = (flags: string) => cli(`train ${MODEL} --chips 1 --text text.txt ${flags}`.split(' '), folder);
const runs = (): string => join(folder, 'runs');

beforeAll(async () => {
  folder = createFolder({ 'text.txt': composeText({ bytes: 4096, seed: 0 }) });
  await train('--batch 4 --steps 12 --run runs/one');
  await train('--batch 4 --steps 3 --run runs/short');
});
afterAll(() => removeFolder(folder));

it('says which run it is made of, which of the list it is not made of, and why', () => {
  const report = calibrateHere('local', runs());
  expect(report.outcomes.map(({ runFolder, side }) => [runFolder, side])).toEqual([[resolve(runs(), 'one'), 'fitted']]);
  expect(report.reason).toMatch(/on nothing else than the run that was fitted/);
  expect(report.about).toEqual([
    'Made of 1 run that this machine has kept, all in this list.',
    '1 run of this list is no part of it: short (1 timed step is too few).',
  ]);
  expect(report.before).toBe('local');
  const [{ measuredSeconds, beforeSeconds, afterSeconds }] = report.outcomes as [(typeof report.outcomes)[0]];
  const off = (predicted: number): number => Math.abs(Math.log(predicted / measuredSeconds));
  expect(report.isAccepted).toBe(off(afterSeconds) < off(beforeSeconds));
});

it('says of runs in other folders how many they are, and where', () => {
  const [first] = kept();
  expect(runFolderOf(first!)).toBe(resolve(runs(), 'one'));
  const elsewhere = (made: string, path: string): void =>
    void keepRun(store, 'local', { ...first!, made, evidence: { ...first!.evidence, id: runId(made, path) } });
  elsewhere('2099-01-01T00:00:01.000Z', '/somewhere/else/runs/two');
  elsewhere('2099-01-01T00:00:02.000Z', resolve(runs(), 'deleted'));
  const { about, outcomes } = calibrateHere('local', runs());
  expect(about[0]).toBe(
    'Made of 3 runs that this machine has kept: 1 of this list, 2 not in it (/somewhere/else/runs, no longer there).',
  );
  expect(new Set(outcomes.map(({ side }) => side))).toEqual(new Set(['left out', 'fitted']));
});

it('a run that was predicted by another profile is no part of it', () => {
  cpSync(join(runs(), 'one'), join(runs(), 'other'), { recursive: true });
  const file = join(runs(), 'other', 'comparison.json');
  const document = JSON.parse(readFileSync(file, 'utf8')) as object;
  writeFileSync(file, JSON.stringify({ ...document, hardware: 'another-machine', hardwareVersion: null }));
  expect(calibrateHere('local', runs()).about.join(' ')).toContain('other (it is of another-machine)');
});
