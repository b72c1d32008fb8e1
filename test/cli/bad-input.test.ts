/** Whatever is wrong with flags: one message with code, place, expected and got, status 2, nothing touched. */
import { afterEach, describe, expect, it } from 'vitest';
import type { Case } from './refusals.js';
import { describeRefusals } from './refusals.js';
import { cli, contents, createFolder, removeFolder } from './support.js';

const TINY = '--model vit-tiny --hardware local';
const LARGE = '--model vit-22b --hardware tpu-v4';

const plans: Case[] = [
  [
    'a mesh that does not multiply to the chips',
    `simulate ${LARGE} --chips 1024 --batch 65536 --mesh data=64,model=8`,
    'MESH_DOES_NOT_MULTIPLY',
    'plan.mesh',
    ['multiply to 1024 chips', 'which is 512'],
  ],
  [
    'heads that do not divide',
    `simulate ${LARGE} --chips 5 --mesh model=5`,
    'PLAN_DOES_NOT_DIVIDE',
    'plan.mesh.model',
    ['48 heads', 'got 5', 'use 1, 2, 3, 4, 6, 8, 12, 16, 24, 48'],
  ],
  [
    'key-value heads that do not divide',
    'simulate --model llama-3-8b --hardware tpu-v4 --chips 16 --batch 16 --mesh model=16',
    'PLAN_DOES_NOT_DIVIDE',
    'plan.mesh.model',
    ['8 key-value heads', 'got 16', 'use 1, 2, 4, 8'],
  ],
  [
    'an algorithm that nothing can take',
    'simulate --model vit-tiny --hardware tpu-v4 --chips 4 --collective in-switch',
    'USAGE',
    '--collective',
    ['all_reduce', 'got "in-switch"'],
  ],
  [
    'an algorithm that no plan can take',
    'plan --model vit-tiny --hardware tpu-v4 --chips 4 --batch 8 --collective in-switch',
    'USAGE',
    '--collective',
    ['applies to', 'all_reduce', 'got "in-switch"'],
  ],
  [
    'the algorithm of a collective that the step lacks',
    'simulate --model vit-tiny --hardware tpu-v4 --chips 4 --collective all_to_all=direct',
    'USAGE',
    '--collective',
    ['all_reduce', 'got "all_to_all"'],
  ],
  [
    'a setting of the other family',
    'simulate --model llama-tiny --hardware local --model-option patch=8',
    'FIELD_UNKNOWN',
    'model.patch',
    ['a decoder, which llama-tiny is', 'got patch'],
  ],
  [
    'images for a decoder',
    'train --model gpt-tiny --hardware local --images set',
    'JOB_INVALID',
    'training.images',
    ['training.text, since gpt-tiny is a decoder', 'got set', 'give --text PATH'],
  ],
  [
    'text for a vision transformer',
    'train --model vit-tiny --hardware local --text some.txt',
    'JOB_INVALID',
    'training.text',
    ['training.images, since vit-tiny is a vision transformer', 'got some.txt', 'give --images DIR'],
  ],
  [
    'a batch that does not divide',
    `simulate ${TINY} --batch 63 --mesh data=2`,
    'PLAN_DOES_NOT_DIVIDE',
    'plan.mesh.data',
    ['63 images', 'got 2'],
  ],
  [
    'microbatches that do not divide',
    `simulate ${TINY} --batch 64 --microbatches 3`,
    'PLAN_DOES_NOT_DIVIDE',
    'plan.microbatches',
    ['the batch of 64', 'got 3'],
  ],
  [
    'a task that no plan fits',
    `plan ${LARGE} --chips 1 --batch 64`,
    'PLAN_DOES_NOT_FIT',
    'plan of vit-22b on 1 × tpu-v4',
    ['at most 33.3 GB', 'what would fit: 16 chips'],
  ],
  [
    'heads that do not divide the width',
    `simulate ${TINY} --model-option heads=5`,
    'JOB_INVALID',
    'model.heads',
    ['a divisor of the width 128', 'got 5'],
  ],
  [
    'a type that the hardware does not compute in',
    `simulate ${TINY} --compute bf16`,
    'DTYPE_UNSUPPORTED',
    'plan.precision.compute',
    ['f32', 'got bf16'],
  ],
  [
    'an option without effect on the mesh',
    `simulate ${TINY} --mesh data=2 --linears ring`,
    'PLAN_INVALID',
    'plan.linears',
    ['synchronous on data=2', 'got ring', 'give the mesh a larger model axis'],
  ],
  [
    'an option that no plan of a search can have',
    `plan ${TINY} --chips 1 --prefetch 2`,
    'PLAN_INVALID',
    'plan.prefetch',
    ['1 with shard=none', 'got 2', 'use shard=parameters'],
  ],
];

const names: Case[] = [
  [
    'an unknown model',
    'simulate --model vit-22c --hardware tpu-v4',
    'MODEL_UNKNOWN',
    'model',
    ['did you mean vit-22b?'],
  ],
  [
    'unknown hardware',
    'simulate --model vit-22b --hardware tpu-v44',
    'HARDWARE_UNKNOWN',
    'hardware',
    ['did you mean tpu-v4?'],
  ],
  [
    'unknown hardware to show',
    'hardware h100-80gb-smx',
    'HARDWARE_UNKNOWN',
    'hardware',
    ['did you mean h100-80gb-sxm?'],
  ],
  [
    'a profile that is not there',
    'simulate --model vit-tiny --hardware ./mine.yaml',
    'HARDWARE_UNKNOWN',
    'hardware',
    ['the path of a YAML file', 'got ./mine.yaml'],
  ],
  ['no model', 'simulate --hardware local', 'JOB_INVALID', 'model', ['got nothing', 'give --model NAME']],
  ['no hardware', 'simulate --model vit-tiny', 'JOB_INVALID', 'hardware', ['got nothing', 'give --hardware NAME']],
  [
    'an unknown mesh axis',
    `simulate ${TINY} --mesh data=2,modle=2`,
    'FIELD_UNKNOWN',
    '--mesh',
    ['did you mean model?'],
  ],
  [
    'a mesh axis given twice',
    `simulate ${TINY} --mesh data=2,data=4`,
    'JOB_INVALID',
    '--mesh',
    ['each axis once', 'data twice'],
  ],
  [
    'a mesh axis of no size',
    `simulate ${TINY} --mesh data=`,
    'JOB_INVALID',
    '--mesh',
    ['a whole number of at least 1 for data'],
  ],
  ['a mesh axis of two sizes', `simulate ${TINY} --mesh data=2=3`, 'JOB_INVALID', '--mesh', ['got "2=3"']],
  [
    'an unknown model option',
    `simulate ${TINY} --model-option widht=64`,
    'FIELD_UNKNOWN',
    '--model-option',
    ['did you mean width?'],
  ],
  [
    'a model option of the wrong type',
    `simulate ${TINY} --model-option width=wide`,
    'USAGE',
    '--model-option width',
    ['a whole number', 'got "wide"'],
  ],
  [
    'a model option that is no choice',
    `simulate ${TINY} --model-option pooling=max`,
    'USAGE',
    '--model-option pooling',
    ['attention or mean', 'got "max"'],
  ],
];

const usage: Case[] = [
  ['no chips', `simulate ${TINY} --chips 0`, 'USAGE', '--chips', ['at least 1', 'got "0"']],
  [
    'more chips than a number can count',
    `simulate ${TINY} --chips 99999999999999999999`,
    'USAGE',
    '--chips',
    ['a whole number'],
  ],
  ['a batch that is no number', `simulate ${TINY} --batch x`, 'USAGE', '--batch', ['a whole number', 'got "x"']],
  ['steps below zero', `train ${TINY} --steps -1`, 'USAGE', '--steps', ['at least 1', 'got "-1"']],
  [
    'a learning rate below zero',
    `plan ${TINY} --learning-rate -0.1`,
    'USAGE',
    '--learning-rate',
    ['at least 0', 'got "-0.1"'],
  ],
  [
    'a slice that is no shape',
    `simulate ${LARGE} --slice 4xx4`,
    'JOB_INVALID',
    '--slice',
    ['a whole number', 'got ""'],
  ],
  ['an unknown command', 'simulat --json-ish', 'USAGE', 'command line', ['got "simulat"', 'did you mean simulate?']],
  [
    'an unknown flag',
    'simulate --modle vit-tiny',
    'USAGE',
    'command line',
    ["unknown option '--modle'", 'did you mean --model?'],
  ],
  [
    'a flag of another command',
    'report job.yaml --microbatches 8',
    'USAGE',
    'command line',
    ["unknown option '--microbatches'", 'an option of simulate, ', 'a job file can say too'],
  ],
  ['an unknown flag without a command', '--frobnicate', 'USAGE', 'command line', ['got "--frobnicate"']],
  [
    'a flag without its value',
    'simulate --model',
    'USAGE',
    'command line',
    ["option '--model <name>' argument missing"],
  ],
  [
    'a value that is none of the choices',
    `simulate ${TINY} --compute f7`,
    'JOB_INVALID',
    '--compute',
    ['one of f64, f32, bf16, f16', 'got "f7"'],
  ],
  [
    'an unknown option in a short form',
    `simulate ${TINY} --plan liners=ring`,
    'FIELD_UNKNOWN',
    '--plan',
    ['microbatches', 'got "liners=ring"', 'did you mean linears?'],
  ],
  [
    'a value that no option of a short form has',
    `simulate ${TINY} --plan linears=rings`,
    'JOB_INVALID',
    '--plan (linears)',
    ['one of synchronous, ring, bidirectional, ring-bulk', 'got "rings"'],
  ],
  ['an argument too many', 'models vit-tiny', 'USAGE', 'command line', ['too many arguments']],
  [
    'a trace file in a folder that is not there',
    `simulate ${TINY} --trace none/t.json`,
    'USAGE',
    'none/t.json',
    ['a file that can be written', 'no such file'],
  ],
];

describeRefusals('of plans', plans);
describeRefusals('of names', names);
describeRefusals('of the command line', usage);

describe('bad input with --json', () => {
  const made: string[] = [];
  afterEach(() => made.splice(0).forEach(removeFolder));

  it.each([
    ['of a plan', `simulate ${TINY} --batch 64 --microbatches 3`, 'PLAN_DOES_NOT_DIVIDE', 'plan.microbatches'],
    ['of a flag', `simulate ${TINY} --chips 0`, 'USAGE', '--chips'],
    ['of the command line', 'simulate --modle vit-tiny', 'USAGE', 'command line'],
    ['of the command', 'simulat', 'USAGE', 'command line'],
    ['of flags that exclude each other', `simulate ${TINY} --program`, 'USAGE', 'command line'],
    ['of the images', `train --model vit-tiny --images none`, 'DATA_NOT_FOUND', 'none'],
  ])('is answered by a document that says the same: %s', async (_, line, code, place) => {
    const folder = createFolder();
    made.push(folder);
    const { status, stdout, stderr } = await cli(`${line} --json`, folder);
    const document = JSON.parse(stdout) as Record<string, string>;
    expect({ status, ...document }).toMatchObject({ status: 2, schema: 'meshwright/error@1', code, place });
    expect(stderr).toContain(
      `meshwright: ${code} at ${place}: expected ${document['expected']}, got ${document['got']}`,
    );
    expect(stderr.trimEnd()).not.toContain('\n');
    expect(contents(folder)).toEqual({});
  });
});
