/** The checkpoints of a run folder: the last ones stay, nothing of anybody else's is touched. */
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { MeshwrightError } from '../../src/errors.js';
import {
  checkpointFolder,
  checkpointPath,
  isInRun,
  listCheckpoints,
  writeCheckpoint,
} from '../../src/train/checkpoint/folder.js';
import type { CheckpointMetadata } from '../../src/train/checkpoint/metadata.js';
import { formatMetadata } from '../../src/train/checkpoint/metadata.js';
import { writeSafetensors } from '../../src/train/checkpoint/safetensors.js';
import { temporaryFolder } from './data/images.js';

const RUN = '0123456789abcdef';
const OTHER = 'fedcba9876543210';

const metadata = (run: string, step: number): CheckpointMetadata => ({
  run,
  step,
  steps: 100,
  model: {},
  plan: 'data=1',
  optimizer: { kind: 'sgd', appliedSteps: step },
  data: { batches: step, batch: 1, epoch: 0, seed: 0, digest: '', about: '' },
});
const file = (path: string, run: string, step: number) =>
  writeSafetensors(path, [{ name: 'x', dtype: 'f32', shape: [1] }], formatMetadata(metadata(run, step)), () =>
    Promise.resolve(Float32Array.of(step)),
  );

let run: string;
beforeEach(async () => {
  run = join(await temporaryFolder(), 'run');
  mkdirSync(run);
});
const save = (step: number, keep = 2, id = RUN) =>
  writeCheckpoint(checkpointPath(run, step), id, keep, (path) => file(path, id, step));
const names = () => readdirSync(checkpointFolder(run)).sort();

describe('writing checkpoints', () => {
  it('keeps the last ones, in the order of their steps', async () => {
    for (const step of [5, 99_999, 100_000, 1_000_000, 10_000_000]) await save(step, 3);
    expect(names()).toEqual(
      ['step-100000.safetensors', 'step-1000000.safetensors', 'step-10000000.safetensors'].sort(),
    );
    expect(listCheckpoints(run).map(({ step }) => step)).toEqual([100_000, 1_000_000, 10_000_000]);
  });

  it('deletes none that it did not write: of another run, damaged, of another form or name', async () => {
    await save(1);
    const folder = checkpointFolder(run);
    await file(checkpointPath(run, 2), OTHER, 2);
    const foreign = {
      'step-000003.safetensors': 'text',
      'step-000004.safetensors.bak': 'text',
      'best.safetensors': readFileSync(checkpointPath(run, 1), 'latin1'),
      '.step-000001.safetensors.fedcba9876543210.tmp': 'of another run',
      'notes.txt': 'mine',
    };
    for (const [name, text] of Object.entries(foreign)) writeFileSync(join(folder, name), text, 'latin1');
    for (const step of [5, 6, 7]) await save(step, 1);
    expect(names()).toEqual([...Object.keys(foreign), 'step-000002.safetensors', 'step-000007.safetensors'].sort());
    for (const [name, text] of Object.entries(foreign)) expect(readFileSync(join(folder, name), 'latin1')).toBe(text);
  });

  it('clears away what a run of the same id left unfinished', async () => {
    await save(1);
    const left = join(checkpointFolder(run), `.step-000002.safetensors.${RUN}.tmp`);
    writeFileSync(left, 'half of it');
    await save(2);
    expect(names()).toEqual(['step-000001.safetensors', 'step-000002.safetensors']);
  });

  it('refuses a name that somebody else has, and leaves their file', async () => {
    mkdirSync(checkpointFolder(run));
    writeFileSync(checkpointPath(run, 4), 'theirs');
    await expect(save(4)).rejects.toMatchObject({ code: 'WRITE_FAILED', detail: { place: checkpointPath(run, 4) } });
    expect(readFileSync(checkpointPath(run, 4), 'utf8')).toBe('theirs');
    expect(names()).toEqual(['step-000004.safetensors']);
  });

  it('leaves those before it where writing fails, and nothing under way', async () => {
    await save(1, 1);
    const failing = writeCheckpoint(checkpointPath(run, 2), RUN, 1, (path) => {
      writeFileSync(path, 'half');
      return Promise.reject(new Error('ENOSPC: no space left on device'));
    });
    await expect(failing).rejects.toMatchObject({
      code: 'WRITE_FAILED',
      detail: { place: checkpointPath(run, 2), got: 'ENOSPC: no space left on device' },
    });
    expect(names()).toEqual(['step-000001.safetensors']);
  });

  it('says so where a file lies in the place of the folder', async () => {
    writeFileSync(checkpointFolder(run), 'a file');
    await expect(save(1)).rejects.toBeInstanceOf(MeshwrightError);
    expect(() => listCheckpoints(run)).toThrow(MeshwrightError);
    expect(existsSync(checkpointPath(run, 1))).toBe(false);
  });
});

it('a checkpoint is known for one of its run by where it lies', () => {
  expect(isInRun('runs/a/checkpoints/step-000001.safetensors', 'runs/a/')).toBe(true);
  expect(isInRun('runs/a/checkpoints/step-000001.safetensors', 'runs/b')).toBe(false);
  expect(isInRun('step-000001.safetensors', '.')).toBe(false);
});
