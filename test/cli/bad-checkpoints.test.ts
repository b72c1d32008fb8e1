/** Whatever is wrong with what a training is to go on from: one line, status 2, nothing created or changed. */
import { cpSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { cli } from './in-process.js';
import { cli as compiled, contents, createFolder, expectRefused, removeFolder } from './support.js';

const MODEL = '--model vit-tiny --model-option depth=1 --model-option width=32 --model-option heads=2';
const TRAIN = `train ${MODEL} --hardware local --batch 4 --mesh data=2 --images set --checkpoint-every 1`;
const NEWEST = 'run/checkpoints/step-000003.safetensors';
const BEFORE = 'run/checkpoints/step-000002.safetensors';

let made: string;
let folder: string;
beforeAll(async () => {
  made = createFolder();
  expect(await compiled('images set --classes 2 --per-class 4 --held-out 1 --size 64', made)).toMatchObject({
    status: 0,
  });
  expect(await compiled(`${TRAIN} --steps 3 --run run`, made)).toMatchObject({ status: 0 });
});
beforeEach(() => {
  folder = createFolder();
  cpSync(made, folder, { recursive: true });
  return () => removeFolder(folder);
});
afterAll(() => removeFolder(made));

const at = (path: string): string => join(folder, path);
function change(path: string, edit: (all: Buffer) => Buffer | undefined): void {
  const all = readFileSync(at(path));
  writeFileSync(at(path), edit(all) ?? all);
}
/** A number in the middle of the data of a tensor, changed and its checksum left as it was. */
const flip = (all: Buffer) => void (all[all.length >> 1]! ^= 4);

type Case = readonly [what: string, damage: () => void, line: string, code: string, place: string, says: string[]];
const cases: readonly Case[] = [
  ['no such run', () => undefined, '--resume none', 'RUN_INVALID', '--resume none', ['got nothing there']],
  [
    'a folder that is no run',
    () => undefined,
    '--resume set',
    'RUN_INVALID',
    '--resume set',
    ['checkpoints/step-….safetensors', 'got none'],
  ],
  [
    'a run without checkpoints',
    () => rmSync(at('run/checkpoints'), { recursive: true }),
    '--resume run',
    'RUN_INVALID',
    '--resume run',
    ['got none', 'meshwright train run/job.yaml starts it again'],
  ],
  [
    'a run whose job is gone',
    () => rmSync(at('run/job.yaml')),
    '--resume run --steps 6',
    'RUN_INVALID',
    'run',
    ['job.yaml around the checkpoint', `meshwright train job.yaml --resume ${NEWEST}`],
  ],
  [
    'a checkpoint in no run, without a job',
    () => renameSync(at(NEWEST), at('alone.safetensors')),
    '--resume alone.safetensors --steps 6',
    'RUN_INVALID',
    'alone.safetensors',
    ['give a job file'],
  ],
  [
    'a run that is over',
    () => undefined,
    '--resume run',
    'JOB_INVALID',
    'training.steps',
    ['more than the 3 steps', 'got 3', '--steps 6'],
  ],
  [
    'a damaged checkpoint',
    () => change(NEWEST, flip),
    '--resume run --steps 6',
    'CHECKPOINT_INVALID',
    `${NEWEST}, tensor `,
    ['checksum', 'the file was damaged', `--resume ${BEFORE} goes on from one that is whole`],
  ],
  [
    'a checkpoint that was cut short',
    () => truncateSync(at(NEWEST), 5000),
    '--resume run --steps 6',
    'CHECKPOINT_INVALID',
    NEWEST,
    ['cut short', BEFORE],
  ],
  [
    'an empty checkpoint',
    () => truncateSync(at(NEWEST), 0),
    `--resume ${NEWEST} --steps 6`,
    'CHECKPOINT_INVALID',
    NEWEST,
    ['a safetensors file', 'got 0 bytes'],
  ],
  [
    'no checkpoint that is whole',
    () => [NEWEST, BEFORE].forEach((path) => change(path, flip)),
    '--resume run --steps 6',
    'CHECKPOINT_INVALID',
    `${NEWEST}, tensor `,
    ['the file was damaged\n'],
  ],
  [
    'a text file',
    () => undefined,
    '--resume run/job.yaml --steps 6',
    'RUN_INVALID',
    'run/job.yaml',
    ['around the checkpoint'],
  ],
  [
    'a text file, with a job',
    () => undefined,
    'run/job.yaml --resume run/job.yaml --steps 6',
    'CHECKPOINT_INVALID',
    'run/job.yaml',
    ['a safetensors file'],
  ],
  [
    'a folder in the place of a checkpoint',
    () => mkdirSync(at('run/checkpoints/step-000009.safetensors')),
    '--resume run --steps 12',
    'CHECKPOINT_INVALID',
    'run/checkpoints/step-000009.safetensors',
    ['a safetensors file', `--resume ${NEWEST}`],
  ],
  [
    'a file in the place of the folder',
    () => {
      rmSync(at('run/checkpoints'), { recursive: true });
      writeFileSync(at('run/checkpoints'), '');
    },
    '--resume run --steps 6',
    'RUN_INVALID',
    'run/checkpoints',
    ['a folder that can be read'],
  ],
  [
    'safetensors of another program',
    () =>
      change(NEWEST, () =>
        Buffer.from('\x3a\0\0\0\0\0\0\0{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}    \0\0\0\0', 'latin1'),
      ),
    '--resume run --steps 6',
    'CHECKPOINT_INVALID',
    NEWEST,
    ['each checkpoint of this project'],
  ],
  [
    'a checkpoint of another model',
    () => undefined,
    '--resume run --steps 6 --model-option depth=2',
    'JOB_INVALID',
    'model.depth',
    [`expected 1, as ${NEWEST} has it`, 'got 2'],
  ],
  [
    'another batch',
    () => undefined,
    '--resume run --steps 6 --batch 8',
    'JOB_INVALID',
    'batch',
    [`expected 4, as ${NEWEST} has it`, 'got 8'],
  ],
  ['another seed', () => undefined, '--resume run --steps 6 --seed 1', 'JOB_INVALID', 'training.seed', ['expected 0']],
  [
    'another optimizer',
    () => undefined,
    '--resume run --steps 6 --optimizer sgd',
    'JOB_INVALID',
    'optimizer.kind',
    ['expected adamw', 'got sgd'],
  ],
  [
    'other data',
    () => {
      const [name] = readdirSync(at('set/train'));
      cpSync(at(`set/train/${name}/00000.png`), at(`set/train/${name}/extra.png`));
    },
    '--resume run --steps 6',
    'JOB_INVALID',
    'training.images',
    ['8 images in 2 classes', 'got 9 images in 2 classes'],
  ],
  [
    'a run folder that is there',
    () => undefined,
    '--resume run --steps 6 --mesh model=2 --run run',
    'RUN_EXISTS',
    'run',
    ['name another with --run'],
  ],
  [
    'an interval that is none',
    () => undefined,
    '--resume run --checkpoint-every often',
    'USAGE',
    '--checkpoint-every',
    ['500', '60s', 'got "often"'],
  ],
];

describe('what a training can not go on from is refused in one line, nothing touched:', () => {
  it.each(cases.map(([what, ...rest]) => ({ what, rest })))('$what', async ({ rest }) => {
    const [damage, line, code, place, says] = rest;
    damage();
    const before = contents(folder);
    const ended = await cli(`train ${line}`, folder);
    const [at] = /^meshwright: [A-Z_]+ at (.+?): expected /.exec(ended.stderr)?.slice(1) ?? [];
    // Which tensor is damaged hangs on how long the header is.
    expect(at?.startsWith(place), ended.stderr).toBe(true);
    expectRefused(ended, { code, place: place.endsWith(' ') ? at! : place, says });
    expect(contents(folder)).toEqual(before);
  });
});
