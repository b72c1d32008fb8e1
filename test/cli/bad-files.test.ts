/** Whatever is wrong with files and folders: one message with code, place, expected and got, status 2, nothing touched. */
import type { Case, Files } from './refusals.js';
import { describeRefusals } from './refusals.js';
import { editedProfile } from './support.js';

/** A case of a profile in `mine.yaml`, refused with its line. */
function profile(
  what: string,
  name: string,
  [before, after]: [string, string],
  code: string,
  path: string,
  says: string[],
): Case {
  const { text, line } = editedProfile(name, before, after);
  const place = `mine.yaml:${line} (${path})`;
  return [what, 'simulate --model vit-tiny --hardware ./mine.yaml', code, place, says, { 'mine.yaml': text }];
}

const CAPACITY = 'chip.memory.capacity.value';
const profiles: Case[] = [
  profile('a negative quantity', 'tpu-v4', ['value: 32 GiB', 'value: -32 GiB'], 'QUANTITY_INVALID', CAPACITY, [
    'at least zero',
    'got "-32 GiB"',
  ]),
  profile('a quantity without a unit', 'tpu-v4', ['value: 32 GiB', 'value: 32'], 'QUANTITY_INVALID', CAPACITY, [
    'with a unit',
    'got 32',
  ]),
  profile(
    'a quantity with a misspelt unit',
    'tpu-v4',
    ['value: 32 GiB', 'value: 32 Gib'],
    'QUANTITY_INVALID',
    CAPACITY,
    ['with a unit', 'got "32 Gib"'],
  ),
  profile(
    'a quantity of another dimension',
    'tpu-v4',
    ['value: 1 us', 'value: 1 GB'],
    'QUANTITY_INVALID',
    'topology.hopLatency.value',
    ['ms', 'got "1 GB"'],
  ),
  profile(
    'a rate above the peak',
    'tpu-v4',
    ['value: 45 GB/s', 'value: 55 GB/s'],
    'QUANTITY_INVALID',
    'topology.linkBandwidthPerDirection.achievable.value',
    ['at most the peak, 50 GB/s', 'got 55 GB/s'],
  ),
  profile(
    'a bandwidth of zero',
    'tpu-v4',
    ['value: 50 GB/s', 'value: 0 GB/s'],
    'QUANTITY_INVALID',
    'topology.linkBandwidthPerDirection.peak.value',
    ['more than zero', 'got "0 GB/s"'],
  ),
  profile(
    'a largest slice of too few lengths',
    'tpu-v4',
    ['value: [16, 16, 16]', 'value: [16, 16]'],
    'HARDWARE_INVALID',
    'topology.largestSlice.value',
    ['3 lengths', 'got [16,16]'],
  ),
  profile(
    'a bandwidth without a unit',
    'h100-80gb-sxm',
    ['value: 50 GB/s', 'value: 50'],
    'QUANTITY_INVALID',
    'topology.network.cardBandwidthPerDirection.peak.value',
    ['with a unit', 'got 50'],
  ),
  profile(
    'cards that chips can not share evenly',
    'h100-80gb-sxm',
    ['cardsPerNode: { value: 8', 'cardsPerNode: { value: 3'],
    'HARDWARE_INVALID',
    'topology.network.cardsPerNode.value',
    ['divides the 8 chips', 'got 3'],
  ),
  profile(
    'a leaf with more links to the spines than to nodes',
    'h100-80gb-sxm',
    ['value: 1\n', 'value: 0.5\n'],
    'HARDWARE_INVALID',
    'topology.network.fatTree.oversubscription.value',
    ['at least 1', 'got 0.5'],
  ),
  profile(
    'an unknown field of a profile',
    'tpu-v4',
    ['rule: every', 'rules: every'],
    'FIELD_UNKNOWN',
    'topology.wraparound.rules',
    ['did you mean rule?'],
  ),
];

/** A case of a job file. */
const job = (what: string, text: string, code: string, place: string, says: string[]): Case => [
  what,
  'simulate job.yaml',
  code,
  place,
  says,
  { 'job.yaml': text },
];

const jobs: Case[] = [
  job('an unknown field of a job', 'model: vit-tiny\nhardwar: local\n', 'FIELD_UNKNOWN', 'job.yaml:2 (hardwar)', [
    'did you mean hardware?',
  ]),
  job(
    'an unknown mesh axis of a job',
    'model: vit-tiny\nhardware: local\nplan:\n  mesh: { modle: 2 }\n',
    'FIELD_UNKNOWN',
    'job.yaml:4 (plan.mesh.modle)',
    ['did you mean model?'],
  ),
  job('an unknown preset of a job', 'model: { preset: vit-tyni }\nhardware: local\n', 'MODEL_UNKNOWN', 'model.preset', [
    'did you mean vit-tiny?',
  ]),
  job(
    'text where a number belongs',
    'model: vit-tiny\nhardware: local\nchips: "4"\n',
    'JOB_INVALID',
    'job.yaml:3 (chips)',
    ['a whole number', 'got "4"'],
  ),
  job('a fraction of a chip', 'model: vit-tiny\nhardware: local\nchips: 1.5\n', 'JOB_INVALID', 'job.yaml:3 (chips)', [
    'a whole number',
    'got 1.5',
  ]),
  job(
    'a list where a mesh belongs',
    'model: vit-tiny\nhardware: local\nplan:\n  mesh: [2, 1]\n',
    'JOB_INVALID',
    'job.yaml:4 (plan.mesh)',
    ['object', 'got [2,1]'],
  ),
  job(
    'an unknown optimizer',
    'model: vit-tiny\nhardware: local\noptimizer:\n  kind: adam\n',
    'JOB_INVALID',
    'job.yaml:4 (optimizer.kind)',
    ['adamw', 'got "adam"'],
  ),
  job(
    'the precision outside the plan',
    'model: vit-tiny\nhardware: local\nprecision:\n  compute: f32\n',
    'JOB_INVALID',
    'job.yaml:3 (precision)',
    ['it in the plan, as plan.precision', 'got {"compute":"f32"}'],
  ),
  job('bad YAML', 'model: vit-tiny\nhardware: [local\n', 'JOB_INVALID', 'job.yaml:3', ['valid YAML']),
  job('a field given twice', 'model: vit-tiny\nmodel: vit-22b\n', 'JOB_INVALID', 'job.yaml:2', ['unique']),
  job('an empty job file', '', 'JOB_INVALID', 'job.yaml:1', ['object']),
  ['a missing job file', 'simulate job.yaml', 'JOB_INVALID', 'job.yaml', ['a readable job file', 'no such file']],
  [
    'a folder as a job file',
    'simulate jobs',
    'JOB_INVALID',
    'jobs',
    ['a readable job file', 'directory'],
    { 'jobs/': '' },
  ],
];

const IMAGES: Files = { 'set/a/1.png': '', 'set/b/1.png': '' };
const TRAIN = 'train --model vit-tiny --batch 2 --steps 1';
const TRAIN_TEXT = 'train --model gpt-tiny --batch 2 --steps 1';

const folders: Case[] = [
  [
    'a run folder that exists',
    `${TRAIN} --images set --run old`,
    'RUN_EXISTS',
    'old',
    ['name another with --run'],
    { ...IMAGES, 'old/job.yaml': 'model: mine\n' },
  ],
  [
    'a run folder that is a file',
    `${TRAIN} --images set --run old`,
    'RUN_EXISTS',
    'old',
    ['one that does'],
    { ...IMAGES, old: 'mine' },
  ],
  [
    'a run folder below a file',
    `${TRAIN} --images set --run old/run`,
    'RUN_INVALID',
    'old/run',
    ['can be made'],
    { ...IMAGES, old: 'mine' },
  ],
  [
    'a run folder of the demo that exists',
    'demo --run old',
    'RUN_EXISTS',
    'old',
    ['name another with --run'],
    { 'old/': '' },
  ],
  [
    'a job file that exists, for a plan',
    `plan --model vit-tiny --hardware local --output job.yaml`,
    'RUN_EXISTS',
    'job.yaml',
    ['a file that does not exist'],
    { 'job.yaml': 'mine' },
  ],
  [
    'a folder that exists, for drawn images',
    'images old',
    'RUN_EXISTS',
    '{cwd}/old',
    ['name another folder'],
    { 'old/mine.txt': '' },
  ],
  ['no images to train on', TRAIN, 'JOB_INVALID', 'training.images', ['got nothing', 'give --images DIR']],
  ['an image folder that is not there', `${TRAIN} --images none`, 'DATA_NOT_FOUND', 'none', ['got nothing there']],
  [
    'a class folder without images',
    `${TRAIN} --images set`,
    'DATA_EMPTY_CLASS',
    'set/c',
    ['at least one JPEG, PNG or WebP image'],
    { ...IMAGES, 'set/c/': '' },
  ],
  [
    'a folder without class folders',
    `${TRAIN} --images set`,
    'DATA_NO_IMAGES',
    'set',
    ['no class folders'],
    { 'set/1.png': '' },
  ],
  [
    'class folders without images',
    `${TRAIN} --images set`,
    'DATA_NO_IMAGES',
    'set',
    ['2 class folders without images'],
    { 'set/a/1.txt': '', 'set/b/': '' },
  ],
  [
    'held-out images of a class that is not trained',
    `${TRAIN} --images set`,
    'DATA_EMPTY_CLASS',
    'set/held-out/b',
    ['the training set has'],
    { 'set/train/a/1.png': '', 'set/train/a/2.png': '', 'set/held-out/b/1.png': '' },
  ],
  [
    'another count of classes than the images have',
    `${TRAIN} --images set --model-option classes=3`,
    'JOB_INVALID',
    'model.classes',
    ['2, the classes of set', 'got 3'],
    IMAGES,
  ],
  [
    'a batch of more images than there are',
    `${TRAIN} --images set --batch 4`,
    'JOB_INVALID',
    'batch',
    ['at most the 2 images', 'got 4'],
    IMAGES,
  ],
  ['no text to train a decoder on', TRAIN_TEXT, 'JOB_INVALID', 'training.text', ['got nothing', 'give --text PATH']],
  ['a text that is not there', `${TRAIN_TEXT} --text none`, 'DATA_NOT_FOUND', 'none', ['got nothing there']],
  [
    'a folder without texts',
    `${TRAIN_TEXT} --text texts`,
    'DATA_NOT_FOUND',
    'texts',
    ['a text file', 'a folder without files'],
    { 'texts/inner/': '' },
  ],
  [
    'an empty text',
    `${TRAIN_TEXT} --text a.txt`,
    'DATA_TOO_SHORT',
    'a.txt',
    ['at least 321 bytes', 'got 0'],
    { 'a.txt': '' },
  ],
  [
    'a text that is too short',
    `${TRAIN_TEXT} --text a.txt`,
    'DATA_TOO_SHORT',
    'a.txt',
    ['at least 321 bytes', 'got 320'],
    { 'a.txt': 'a'.repeat(320) },
  ],
  [
    'a batch of more sequences than a text has',
    `${TRAIN_TEXT} --text a.txt`,
    'JOB_INVALID',
    'batch',
    ['at most 1, the sequences of 64 bytes', 'got 2'],
    { 'a.txt': 'a'.repeat(321) },
  ],
  [
    'a vocabulary that lacks bytes',
    `${TRAIN_TEXT} --text a.txt --model-option vocabulary=128`,
    'JOB_INVALID',
    'model.vocabulary',
    ['at least 256: the tokens are bytes', 'got 128'],
    { 'a.txt': 'a'.repeat(1000) },
  ],
  [
    'a file that exists, for a text to be written',
    'text a.txt',
    'RUN_EXISTS',
    'a.txt',
    ['name another file'],
    { 'a.txt': 'mine' },
  ],
  ['a text of more bytes than are of use', 'text a.txt --bytes 1000000000000', 'JOB_INVALID', 'bytes', ['at most']],
  [
    'training on hardware that is not here',
    `${TRAIN} --images set --hardware tpu-v4`,
    'JOB_INVALID',
    'hardware',
    ['train with --hardware local'],
    IMAGES,
  ],
  [
    'comparing a folder that is no run',
    'compare set',
    'RUN_INVALID',
    'set/comparison.json',
    ['a meshwright/comparison@2 document'],
    IMAGES,
  ],
  [
    'comparing a run of another version',
    'compare old',
    'RUN_INVALID',
    'old/comparison.json',
    ['got schema "meshwright/comparison@0"'],
    { 'old/comparison.json': '{"schema":"meshwright/comparison@0"}' },
  ],
  [
    'comparing a run that was cut off',
    'compare old',
    'RUN_INVALID',
    'old/comparison.json',
    ['a meshwright/comparison@2 document'],
    { 'old/comparison.json': '{"schema":"meshwr' },
  ],
  [
    'comparing a run that lacks its plans',
    'compare old',
    'RUN_INVALID',
    'old/comparison.json',
    ['whose model is wrong'],
    { 'old/comparison.json': '{"schema":"meshwright/comparison@2"}' },
  ],
  [
    'calibrating on a folder that is no run',
    'calibrate --runs set --output new',
    'RUN_INVALID',
    'set',
    ['a run folder with job.yaml'],
    IMAGES,
  ],
];

describeRefusals('of hardware profiles', profiles);
describeRefusals('of job files', jobs);
describeRefusals('of folders', folders);
