/**
 * Every kind of bad input that a person gives, as they give it: the built program in a process of its own. It answers with
 * status 2 and one message that says code, place, what is expected and what was got; no stack trace, nothing left behind.
 */
import { cpSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Ended } from './support.js';
import { cli, contents, createFolder, editedProfile, expectRefused, removeFolder } from './support.js';
import type { Files } from './refusals.js';

interface Kind {
  readonly line: string;
  readonly code: string;
  readonly place: string;
  readonly says: readonly string[];
  readonly files?: Files;
  /** Links, by path. */
  readonly links?: Readonly<Record<string, string>>;
  /** Whether there is a run of 2 steps too, `run`, of which this is changed. */
  readonly run?: (checkpoint: string) => void;
  /** What is said before, where it only shows when work begins. */
  readonly before?: { readonly stdout: RegExp; readonly stderr: RegExp };
}

const VIT = 'train --model vit-tiny --hardware local --batch 2 --steps 1';
const GPT = 'train --model gpt-tiny --hardware local --batch 2 --steps 1';
const SIMULATE = 'simulate --model vit-tiny --hardware local';
/** Names of images are enough where none is decoded. */
const IMAGES: Files = { 'set/a/1.png': '', 'set/b/1.png': '' };
const CHECKPOINT = 'run/checkpoints/step-000002.safetensors';
const TEXT: Files = { 'a.txt': 'to be or not to be, '.repeat(100) };
const GPT_JOB: Files = {
  ...TEXT,
  'job.yaml': 'model: gpt-tiny\nhardware: local\nbatch: 2\ntraining: { text: a.txt, steps: 1 }\n',
};
const job = (text: string): Pick<Kind, 'line' | 'files'> => ({
  line: 'simulate job.yaml',
  files: { 'job.yaml': text },
});

const data: Readonly<Record<string, Kind>> = {
  'no images at all': { line: `${VIT} --images set`, code: 'DATA_NOT_FOUND', place: 'set', says: ['nothing there'] },
  'an empty image folder': {
    line: `${VIT} --images set`,
    code: 'DATA_NO_IMAGES',
    place: 'set',
    says: ['class folders', 'no class folders'],
    files: { 'set/': '' },
  },
  'a file as an image folder': {
    line: `${VIT} --images set`,
    code: 'DATA_NOT_FOUND',
    place: 'set',
    says: ['one folder per class', 'got a file'],
    files: { set: '' },
  },
  'images without classes': {
    line: `${VIT} --images set`,
    code: 'DATA_NO_IMAGES',
    place: 'set',
    says: ['no class folders'],
    files: { 'set/1.png': '', 'set/2.png': '' },
  },
  'a class without images': {
    line: `${VIT} --images set`,
    code: 'DATA_EMPTY_CLASS',
    place: 'set/c',
    says: ['at least one JPEG, PNG or WebP image', 'remove the folder'],
    files: { ...IMAGES, 'set/c/notes.txt': '' },
  },
  'one class': {
    line: `${VIT} --images set`,
    code: 'DATA_INVALID',
    place: 'set',
    says: ['at least two classes', 'got one, a'],
    files: { 'set/a/1.png': '', 'set/a/2.png': '' },
  },
  'another count of classes': {
    line: `${VIT} --images set --model-option classes=10`,
    code: 'JOB_INVALID',
    place: 'model.classes',
    says: ['2, the classes of set', 'got 10'],
    files: IMAGES,
  },
  'images of which none can be decoded': {
    line: `${VIT} --images set --run run`,
    code: 'DATA_NO_IMAGES',
    place: 'set',
    says: ['at least one image that can be decoded', 'only corrupt ones, such as set/a/1.png'],
    files: { 'set/a/1.png': 'no image', 'set/b/1.png': 'no image either' },
    before: {
      stdout: /^run folder run\npredicted: [^\n]+\n$/,
      stderr: /^(?:skipped set\/[ab]\/1\.png: [^\n]+\n){2}/,
    },
  },
  'images that are folders and dangling links': {
    line: `${VIT} --images set`,
    code: 'DATA_NO_IMAGES',
    place: 'set',
    says: ['2 class folders without images'],
    files: { 'set/a/1.png/': '', 'set/b/': '' },
    links: { 'set/b/1.png': 'nowhere.png' },
  },
  'fewer images than a batch has': {
    line: 'train --model vit-tiny --hardware local --images set --batch 64',
    code: 'JOB_INVALID',
    place: 'batch',
    says: ['at most the 2 images', 'got 64'],
    files: IMAGES,
  },
  'no text': { line: `${GPT} --text a.txt`, code: 'DATA_NOT_FOUND', place: 'a.txt', says: ['nothing there'] },
  'an empty text': {
    line: `${GPT} --text a.txt`,
    code: 'DATA_TOO_SHORT',
    place: 'a.txt',
    says: ['at least 321 bytes', 'got 0'],
    files: { 'a.txt': '' },
  },
  'a folder without texts': {
    line: `${GPT} --text texts`,
    code: 'DATA_NOT_FOUND',
    place: 'texts',
    says: ['a folder without files'],
    files: { 'texts/': '' },
  },
  'a text that cannot be read': {
    line: `${GPT} --text texts`,
    code: 'DATA_NOT_FOUND',
    place: 'texts',
    says: ['a folder without files'],
    files: { 'texts/': '' },
    links: { 'texts/a.txt': 'a.txt' },
  },
  'a text in another encoding': {
    line: `${GPT} --text a.txt`,
    code: 'DATA_INVALID',
    place: 'a.txt',
    says: ['text in UTF-8', 'bytes that are not', 'iconv'],
    files: { 'a.txt': Buffer.from('caf\u00e9 '.repeat(200), 'latin1') },
  },
  'a text in UTF-16': {
    line: `${GPT} --text a.txt`,
    code: 'DATA_INVALID',
    place: 'a.txt',
    says: ['text in UTF-8', 'got UTF-16'],
    files: { 'a.txt': Buffer.from('\ufeffto be or not to be '.repeat(50), 'utf16le') },
  },
  'a picture among texts': {
    line: `${GPT} --text texts`,
    code: 'DATA_INVALID',
    place: 'texts/b.txt',
    says: ['text in UTF-8', 'a zero byte, at 3'],
    files: { 'texts/a.txt': 'a'.repeat(1000), 'texts/b.txt': 'GIF\0\0' },
  },
  'data of the other family': {
    line: `${VIT} --text a.txt`,
    code: 'JOB_INVALID',
    place: 'training.text',
    says: ['training.images', 'give --images DIR'],
    files: TEXT,
  },
};

const checkpoints: Readonly<Record<string, Kind>> = {
  'no run to go on with': {
    line: 'train --resume run',
    code: 'RUN_INVALID',
    place: '--resume run',
    says: ['nothing there'],
  },
  'a run without checkpoints': {
    line: 'train --resume run',
    code: 'RUN_INVALID',
    place: '--resume run',
    says: ['a run folder with checkpoints', 'got none'],
    files: { 'run/job.yaml': 'model: vit-tiny\n' },
  },
  'a checkpoint outside of a run, and no job': {
    line: 'train --resume a.safetensors',
    code: 'RUN_INVALID',
    place: 'a.safetensors',
    says: ['job.yaml', 'give a job file'],
    files: { 'a.safetensors': '' },
  },
  'an empty checkpoint': {
    line: 'train job.yaml --resume a.safetensors',
    code: 'CHECKPOINT_INVALID',
    place: 'a.safetensors',
    says: [],
    files: { ...GPT_JOB, 'a.safetensors': '' },
  },
  'a checkpoint that is another file': {
    line: 'train job.yaml --resume a.safetensors',
    code: 'CHECKPOINT_INVALID',
    place: 'a.safetensors',
    says: [],
    files: { ...GPT_JOB, 'a.safetensors': 'PK\u0003\u0004, some archive or other' },
  },
  "another program's tensors": {
    line: 'train job.yaml --resume a.safetensors',
    code: 'CHECKPOINT_INVALID',
    place: 'a.safetensors',
    says: [],
    files: { ...GPT_JOB, 'a.safetensors': safetensors({ w: { dtype: 'F32', shape: [1], data_offsets: [0, 4] } }, 4) },
  },
  'a checkpoint that is cut off': {
    line: 'train job.yaml --resume a.safetensors',
    code: 'CHECKPOINT_INVALID',
    place: 'a.safetensors',
    says: [],
    files: {
      ...GPT_JOB,
      'a.safetensors': safetensors({ w: { dtype: 'F32', shape: [99], data_offsets: [0, 396] } }, 4),
    },
  },
};

const untouched = (): void => undefined;
const flip = (path: string): void => {
  const bytes = readFileSync(path);
  bytes[bytes.length - 5]! ^= 1;
  writeFileSync(path, bytes);
};

/** Of a run that is there. */
const resumptions: Readonly<Record<string, Kind>> = {
  'a run that is over': {
    line: 'train --resume run',
    run: untouched,
    code: 'JOB_INVALID',
    place: 'training.steps',
    says: ['more than the 2 steps', 'got 2', '--steps 4'],
  },
  'a checkpoint of another model': {
    line: 'train --resume run --steps 3 --model-option depth=1',
    run: untouched,
    code: 'JOB_INVALID',
    place: 'model.depth',
    says: [`as ${CHECKPOINT} has it`, 'got 1'],
  },
  'a checkpoint of another optimizer': {
    line: 'train --resume run --steps 3 --optimizer sgd',
    run: untouched,
    code: 'JOB_INVALID',
    place: 'optimizer.kind',
    says: [`as ${CHECKPOINT} has it`, 'got sgd'],
  },
  'a checkpoint of other data': {
    line: 'train --resume run --steps 3 --text b.txt',
    run: untouched,
    files: { 'b.txt': 'that is the question '.repeat(200) },
    code: 'JOB_INVALID',
    place: 'training.text',
    says: [`as ${CHECKPOINT} has it`],
  },
  'a checkpoint of another seed': {
    line: 'train --resume run --steps 3 --seed 5',
    run: untouched,
    code: 'JOB_INVALID',
    place: 'training.seed',
    says: ['got 5'],
  },
  'a checkpoint that was cut off': {
    line: 'train --resume run --steps 3',
    run: (path) => truncateSync(path, 5000),
    code: 'CHECKPOINT_INVALID',
    place: CHECKPOINT,
    says: [],
  },
  'a checkpoint of which a bit is wrong': {
    line: 'train --resume run --steps 3',
    run: flip,
    code: 'CHECKPOINT_INVALID',
    // Its last bytes are those of the last tensor.
    place: `${CHECKPOINT}, tensor optimizer/second-moment/norm/bias`,
    says: ['checksum', 'the file was damaged'],
  },
};

const plans: Readonly<Record<string, Kind>> = {
  'heads that do not divide': {
    line: `${SIMULATE} --mesh model=3 --batch 6`,
    code: 'PLAN_DOES_NOT_DIVIDE',
    place: 'plan.mesh.model',
    says: ['got 3', 'use 1, 2, 4'],
  },
  'a batch that does not divide': {
    line: `${SIMULATE} --mesh data=4 --batch 6`,
    code: 'PLAN_DOES_NOT_DIVIDE',
    place: 'plan.mesh.data',
    says: ['6 images', 'got 4'],
  },
  'microbatches that do not divide': {
    line: `${SIMULATE} --batch 8 --microbatches 3`,
    code: 'PLAN_DOES_NOT_DIVIDE',
    place: 'plan.microbatches',
    says: ['the batch of 8', 'got 3'],
  },
  'more stages than layers': {
    line: `${SIMULATE} --mesh pipe=16 --microbatches 16 --batch 16`,
    code: 'PLAN_INVALID',
    place: 'plan.mesh',
    says: ['at most 6 virtual stages for 4 layers', 'got 16'],
  },
  'a mesh of other chips than there are': {
    line: `${SIMULATE} --mesh data=4 --chips 8 --batch 8`,
    code: 'MESH_DOES_NOT_MULTIPLY',
    place: 'plan.mesh',
    says: ['8 chips', '4'],
  },
  'an unknown option': {
    line: `${SIMULATE} --plan microbatch=4`,
    code: 'FIELD_UNKNOWN',
    place: '--plan',
    says: ['did you mean microbatches?'],
  },
  'an unknown flag': {
    line: `${SIMULATE} --shards parameters`,
    code: 'USAGE',
    place: 'command line',
    says: ["unknown option '--shards'", 'did you mean --shard?'],
  },
  'a value that an option does not have': {
    line: `${SIMULATE} --shard everything`,
    code: 'JOB_INVALID',
    place: '--shard',
    says: ['one of', 'got "everything"'],
  },
  'options that contradict each other': {
    line: `${SIMULATE} --mesh data=2 --batch 4 --prefetch 2`,
    code: 'PLAN_INVALID',
    place: 'plan.prefetch',
    says: ['shard=parameters'],
  },
  'an option without anything to apply to': {
    line: `${SIMULATE} --mesh data=2 --batch 4 --linears ring`,
    code: 'PLAN_INVALID',
    place: 'plan.linears',
    says: ['a larger model axis'],
  },
  'a schedule without a pipeline': {
    line: `${SIMULATE} --schedule gpipe`,
    code: 'PLAN_INVALID',
    place: 'plan.schedule',
    says: ['pipe'],
  },
  'a value given twice': {
    line: `${SIMULATE} --mesh pipe=2 --batch 8 --microbatches 4 --schedule gpipe --schedule 1f1b`,
    code: 'USAGE',
    place: '--schedule',
    says: ['one value', 'several'],
  },
  'a model that is too big for memory': {
    line: 'train --model vit-22b --hardware local --batch 2 --images set --steps 1',
    code: 'PLAN_DOES_NOT_FIT',
    place: 'data=1 microbatches=1',
    says: ['at most', 'a smaller model'],
    files: IMAGES,
  },
};

const jobs: Readonly<Record<string, Kind>> = {
  'no job file': {
    line: 'train job.yaml',
    code: 'JOB_INVALID',
    place: 'job.yaml',
    says: ['a readable job file', 'no such file'],
  },
  'bad YAML': { ...job('model: [vit-tiny\n'), code: 'JOB_INVALID', place: 'job.yaml:2', says: ['valid YAML'] },
  'an unknown key': {
    ...job('model: vit-tiny\nhardware: local\ntraining:\n  step: 3\n'),
    code: 'FIELD_UNKNOWN',
    place: 'job.yaml:4 (training.step)',
    says: ['did you mean steps?'],
  },
  'a wrong type': {
    ...job('model: vit-tiny\nhardware: local\nbatch: many\n'),
    code: 'JOB_INVALID',
    place: 'job.yaml:3 (batch)',
    says: ['a whole number', 'got "many"'],
  },
  'a quantity in the wrong unit': {
    ...job('model: vit-tiny\nhardware: local\nchips: 2\nbatch: 4\nplan:\n  mesh: { data: 2 }\n  bucket: 25 GFLOP/s\n'),
    code: 'JOB_INVALID',
    place: 'job.yaml:7 (plan.bucket)',
    says: ['got "25 GFLOP/s"'],
  },
  'a job file in another encoding': {
    line: 'simulate job.yaml',
    files: { 'job.yaml': Buffer.from('\ufeffmodel: vit-tiny\n', 'utf16le') },
    code: 'JOB_INVALID',
    place: 'job.yaml',
    says: ['got UTF-16, where text in UTF-8 belongs'],
  },
  'a setting out of its range': {
    ...job('model: vit-tiny\nhardware: local\ntraining: { monitor: -1 }\n'),
    code: 'JOB_INVALID',
    place: 'job.yaml:3 (training.monitor)',
    says: ['at least 0', 'got -1'],
  },
};

const disks: Readonly<Record<string, Kind>> = {
  'a run folder that exists': {
    line: `${VIT} --images set --run old`,
    code: 'RUN_EXISTS',
    place: 'old',
    says: ['name another with --run'],
    files: { ...IMAGES, 'old/job.yaml': 'model: mine\n' },
  },
  'a run folder that is a file': {
    line: `${VIT} --images set --run old`,
    code: 'RUN_EXISTS',
    place: 'old',
    says: ['does not exist'],
    files: { ...IMAGES, old: 'mine' },
  },
  'a run folder below a file': {
    line: `${VIT} --images set --run old/run`,
    code: 'RUN_INVALID',
    place: 'old/run',
    says: ['a folder that can be made', 'a path that leads through a file'],
    files: { ...IMAGES, old: 'mine' },
  },
  // Not even the superuser makes folders there.
  'a run folder in a place where nothing can be written': {
    line: `${VIT} --images set --run /proc/run`,
    code: 'RUN_INVALID',
    place: '/proc/run',
    says: ['a folder that can be made'],
    files: IMAGES,
  },
  'a full disk': {
    line: `${SIMULATE} --trace /dev/full`,
    code: 'USAGE',
    place: '/dev/full',
    says: ['a file that can be written', 'no space left on the device'],
  },
  'a comparison of what is no run': {
    line: 'compare nope',
    code: 'RUN_INVALID',
    place: 'nope',
    says: ['the folder of a run', 'nothing there'],
  },
  'a comparison of a run that has not ended': {
    line: 'compare run',
    code: 'RUN_INVALID',
    place: 'run/comparison.json',
    says: ['no such file', 'train writes it when it ends'],
    files: { 'run/job.yaml': 'model: vit-tiny\n' },
  },
  'a calibration on a damaged run': {
    line: 'calibrate --runs run --output new',
    code: 'RUN_INVALID',
    place: 'run/comparison.json',
    says: ['a meshwright/comparison@3 document'],
    files: { 'run/job.yaml': 'model: vit-tiny\nhardware: local\n', 'run/comparison.json': '{' },
  },
};

const { text: HALVES } = editedProfile(
  'local',
  '    f32:',
  '    bf16: { peak: { value: 220 GFLOP/s, source: a test, status: assumed }, achievable: { value: 1, source: a test, status: assumed } }\n    f32:',
);

const devices: Readonly<Record<string, Kind>> = {
  'an unknown family': {
    line: `${VIT} --images set --family torch`,
    code: 'USAGE',
    place: 'command line',
    says: ['torch', 'onnx'],
    files: IMAGES,
  },
  'a device that is not there': {
    line: `${VIT} --images set --family onnx-cuda`,
    code: 'DEVICE_MISSING',
    place: 'kernel family onnx-cuda',
    says: ['meshwright hardware --local'],
    files: IMAGES,
  },
  'a type that the hardware lacks': {
    line: `${VIT} --images set --compute f64`,
    code: 'DTYPE_UNSUPPORTED',
    place: 'plan.precision.compute',
    says: ['got f64'],
    files: IMAGES,
  },
  'a type that the family lacks': {
    line: `train --model vit-tiny --hardware ./halves.yaml --batch 2 --steps 1 --images set --compute bf16 --family tfjs-wasm`,
    code: 'DTYPE_UNSUPPORTED',
    place: 'precision',
    says: ['kernel family tfjs-wasm', 'got bf16'],
    files: { ...IMAGES, 'halves.yaml': HALVES },
  },
  'hardware that is not here': {
    line: `train --model vit-tiny --hardware tpu-v4 --batch 2 --images set`,
    code: 'JOB_INVALID',
    place: 'hardware',
    says: ['train with --hardware local'],
    files: IMAGES,
  },
  'unknown hardware': {
    line: 'simulate --model vit-tiny --hardware loca',
    code: 'HARDWARE_UNKNOWN',
    place: 'hardware',
    says: ['did you mean local?'],
  },
};

/** A header, and so many bytes of tensors. */
function safetensors(header: object, bytes: number): Buffer {
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, Buffer.alloc(bytes)]);
}

const KINDS = { data, checkpoints, resumptions, plans, jobs, disks, devices };
const ALL = Object.entries(KINDS).flatMap(([of, kinds]) =>
  Object.entries(kinds).map(([what, kind]) => ({ of, what, kind })),
);

interface Outcome {
  readonly ended: Ended;
  readonly before: Record<string, string>;
  readonly after: Record<string, string>;
}

const outcomes = new Map<Kind, Promise<Outcome>>();
const made: string[] = [];

/** A run of two steps in a folder with its text, made once. */
let trained: Promise<string>;

async function trainOnce(): Promise<string> {
  const folder = createFolder(TEXT);
  made.push(folder);
  const line = 'train --model gpt-tiny --hardware local --batch 2 --steps 2 --text a.txt --run run';
  const { status, stderr } = await cli(line, folder);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return folder;
}

async function start({ line, files, links = {}, run }: Kind): Promise<Outcome> {
  const folder = createFolder(files);
  made.push(folder);
  if (run !== undefined) {
    cpSync(await trained, folder, { recursive: true });
    run(join(folder, CHECKPOINT));
  }
  for (const [path, target] of Object.entries(links)) symlinkSync(target, join(folder, path));
  const before = contents(folder);
  const ended = await cli(line, folder);
  return { ended, before, after: contents(folder) };
}

beforeAll(() => {
  // So that one is missing on any machine.
  process.env['CUDA_VISIBLE_DEVICES'] = '';
  // As many at once as there are cores, at least two: most of a process is its start.
  const waiting = ALL.map(({ kind }) => kind);
  const settle = new Map<Kind, (outcome: Promise<Outcome>) => void>();
  for (const kind of waiting) outcomes.set(kind, new Promise((resolve) => settle.set(kind, resolve)));
  trained = trainOnce();
  const work = async (isFirst: boolean): Promise<void> => {
    // The training takes the first one's place.
    if (isFirst) await trained.catch(() => undefined);
    for (let kind = waiting.shift(); kind !== undefined; kind = waiting.shift()) {
      const outcome = start(kind);
      settle.get(kind)!(outcome);
      await outcome.catch(() => undefined);
    }
  };
  for (let worker = 0; worker < Math.max(2, availableParallelism()); worker++) void work(worker === 0);
});
afterAll(() => made.forEach(removeFolder));

describe.each(Object.keys(KINDS))('bad %s', (of) => {
  it.each(ALL.filter((one) => one.of === of))('$what', { timeout: 120_000 }, async ({ kind }) => {
    const { ended, before, after } = await outcomes.get(kind)!;
    const { stdout, stderr } = kind.before ?? { stdout: /^/, stderr: /^/ };
    expect(ended).toMatchObject({ stdout: expect.stringMatching(stdout), stderr: expect.stringMatching(stderr) });
    const rest = { stdout: ended.stdout.replace(stdout, ''), stderr: ended.stderr.replace(stderr, '') };
    expectRefused({ ...ended, ...rest }, kind);
    expect(after).toEqual(before);
  });
});

it('are more than forty kinds', () => expect(ALL.length).toBeGreaterThan(40));
