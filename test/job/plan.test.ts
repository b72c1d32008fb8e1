import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  DEFAULT_PLAN,
  formatJob,
  formatPlan,
  lowerOptions,
  mergeJobs,
  parseJob,
  parsePlan,
  parsePlanInput,
  resolveJob,
} from '../../src/job/index.js';
import type { AxisPlacement, JobInput, Plan } from '../../src/job/index.js';
import { AXIS_NAMES, createMesh } from '../../src/mesh/index.js';
import { FLOATS, REMATERIALIZATIONS } from '../../src/program/index.js';
import { bytes } from '../../src/units.js';

const always = () => true;
const count = (min: number) => fc.integer({ min, max: 1e6 });
const float = fc.constantFrom(...FLOATS);
const layers = fc
  .uniqueArray(fc.integer({ min: 0, max: 117 }), { minLength: 1 })
  .map((all) => all.toSorted((a, b) => a - b));
const name = fc.constantFrom('encoder/*/kernel', 'classifier/kernel', '*', '*/bias', 'embed/position');

const plans: fc.Arbitrary<Plan> = fc
  .record(
    {
      mesh: fc
        .record({
          replica: fc.integer({ min: 1, max: 4 }),
          data: fc.integer({ min: 1, max: 64 }),
          model: fc.integer({ min: 1, max: 64 }),
        })
        .map(createMesh),
      microbatches: count(1),
      slice: fc.array(fc.integer({ min: 1, max: 16 }), { minLength: 1, maxLength: 3 }),
      slices: count(1),
      twist: fc.boolean(),
      placement: fc.constantFrom<AxisPlacement[]>(
        { model: ['x'] },
        { data: ['z', 'y'] },
        { data: ['y', 'z'], model: ['x'] },
      ),
      rematerialize: fc.constantFrom(...REMATERIALIZATIONS),
      rematerializeLayers: fc.oneof(fc.constant('all' as const), layers),
      activations: fc.constantFrom('width' as const, 'sequence' as const, 'replicated' as const),
      linears: fc.constantFrom('synchronous' as const, 'ring' as const, 'bidirectional' as const, 'ring-bulk' as const),
      shard: fc.constantFrom('none' as const, 'optimizer' as const, 'gradients' as const, 'parameters' as const),
      shardAxes: fc.subarray([...AXIS_NAMES], { minLength: 1 }),
      shardTensors: fc.oneof(fc.constant('all' as const), fc.array(name, { minLength: 1, maxLength: 3 })),
      shardMinimum: count(0),
      prefetch: count(0),
      bucket: fc.oneof(fc.constant('none' as const), fc.integer({ min: 1, max: 2 ** 40 }).map(bytes)),
      overlapGradients: fc.boolean(),
      castParameters: fc.constantFrom('where-used' as const, 'once' as const),
      compute: float,
      parameters: float,
      gradients: float,
      gradientReduction: float,
      optimizerState: float,
      lossScale: count(1),
      lossScaleInterval: count(1),
    },
    { requiredKeys: ['mesh', 'microbatches'] },
  )
  .map((some) => ({ ...DEFAULT_PLAN, ...some }));

describe('the short form', () => {
  test('is read back as the plan it was written from', () => {
    fc.assert(
      fc.property(plans, (plan) => {
        expect(parsePlan(formatPlan(plan))).toEqual(plan);
      }),
    );
  });

  test('has the mesh and the count of microbatches of a plan that is as usual, and nothing else', () => {
    const usual = { ...DEFAULT_PLAN, mesh: createMesh({ data: 64, model: 16 }), microbatches: 32 };
    expect(formatPlan(usual)).toBe('data=64,model=16 microbatches=32');
    expect(formatPlan({ ...usual, mesh: createMesh({}) })).toBe('data=1 microbatches=32');
  });

  test('has every option that is not as usual, in the order of the table', () => {
    const text =
      'data=2,model=4 microbatches=8 slice=2x4 slices=2 twist=true placement=data:y,model:z+x rematerialize=full rematerialize-layers=0-2,5 activations=sequence ' +
      'linears=bidirectional shard=parameters shard-axes=data,model shard-tensors=encoder/*/kernel,embed/kernel ' +
      'shard-minimum=1000 prefetch=2 bucket=25MB overlap-gradients=false compute=f16 parameters=bf16 gradients=f32 ' +
      'optimizer-state=f32 loss-scale=1024 loss-scale-interval=100';
    expect(formatPlan(parsePlan(text))).toBe(text);
    expect(formatPlan(parsePlan(text.split(' ').toReversed().join('  ')))).toBe(text);
  });

  test('writes bytes without loss, as briefly as it can', () => {
    const bucket = (text: string) => parsePlan(`data=2 microbatches=1 bucket=${text}`);
    expect(bucket('1.5GB').bucket).toBe(1.5e9);
    expect(
      ['25MB', '64MiB', '1500000001B', '0.5kB'].map((text) => formatPlan(bucket(text)).split('bucket=')[1]),
    ).toEqual(['25MB', '64MiB', '1500000001B', '500B']);
  });

  test('may name only some options, for a plan that is chosen', () => {
    expect(parsePlanInput('linears=ring  model=2', '--plan')).toEqual({ linears: 'ring', mesh: { model: 2 } });
    expect(() => parsePlan('data=2')).toThrow(
      'JOB_INVALID at plan: expected a mesh and a count of microbatches, as in data=4,model=2 microbatches=8, got "data=2"',
    );
  });

  test.each([
    ['linear=ring', /^FIELD_UNKNOWN at --plan: expected words of a plan.* got "linear=ring"; did you mean linears\?$/],
    ['mesh=data', /^FIELD_UNKNOWN at --plan/],
    [
      'linears',
      /^JOB_INVALID at --plan \(linears\): expected one of synchronous, ring, bidirectional, ring-bulk, got ""$/,
    ],
    ['linears=rings', /^JOB_INVALID at --plan \(linears\): .* got "rings"$/],
    ['prefetch=1 prefetch=2', /^JOB_INVALID at --plan \(prefetch\): expected each option once/],
    ['data=0', /^JOB_INVALID at --plan \(mesh\): expected a whole number of at least 1 for data, got "0"$/],
    ['data=2,modle=2', /^FIELD_UNKNOWN at --plan \(mesh\): .* did you mean model\?$/],
    ['microbatches=0', /^JOB_INVALID at --plan \(microbatches\): expected a whole number of at least 1, got "0"$/],
    ['microbatches=1.5', /^JOB_INVALID at --plan \(microbatches\)/],
    ['slice=4xx4', /^JOB_INVALID at --plan \(slice\): expected a whole number of at least 1, got ""$/],
    ['twist=yes', /^JOB_INVALID at --plan \(twist\): expected true or false, got "yes"$/],
    [
      'placement=model',
      /^JOB_INVALID at --plan \(placement\): expected dimensions \(x, .*\) by axis, as in model:x,data:y\+z, got "model"$/,
    ],
    ['placement=model:x+x', /^JOB_INVALID at --plan \(placement\): expected each dimension once, got "model:x\+x"$/],
    ['placement=model:q', /^JOB_INVALID at --plan \(placement\): expected dimensions x, y, z, w, v, u, got "model:q"$/],
    ['placement=expert:x', /^JOB_INVALID at --plan \(placement\)/],
    ['overlap-gradients=no', /^JOB_INVALID at --plan \(overlap-gradients\): expected true or false, got "no"$/],
    ['bucket=25', /^JOB_INVALID at --plan \(bucket\): expected none, or bytes with a unit, as in 25MB, got "25"$/],
    ['bucket=0MB', /^JOB_INVALID at --plan \(bucket\)/],
    ['rematerialize-layers=3-1', /^JOB_INVALID at --plan \(rematerialize-layers\): expected all, or layers from 0/],
    ['rematerialize-layers=', /^JOB_INVALID at --plan \(rematerialize-layers\)/],
    [
      'shard-axes=pipe',
      /^JOB_INVALID at --plan \(shard-axes\): expected one or more of replica, data, sequence, model, got "pipe"$/,
    ],
    ['shard-tensors=a,,b', /^JOB_INVALID at --plan \(shard-tensors\): expected all, or names/],
    ['compute=i32', /^JOB_INVALID at --plan \(compute\): expected one of f64, f32, bf16, f16, got "i32"$/],
  ])('%s is refused', (text, message) => {
    expect(() => parsePlanInput(text, '--plan')).toThrow(message);
  });
});

describe('the block of a job file', () => {
  const job = (plan: string) => parseJob(`model: vit-tiny\nhardware: local\nchips: 2\nbatch: 32\nplan: ${plan}\n`, 'j');

  test('gives the defaults of what it leaves out', () => {
    const { plan, precision } = resolveJob(job('{}'), always);
    expect(plan).toEqual({ ...DEFAULT_PLAN, mesh: createMesh({ data: 2 }), microbatches: 1 });
    expect(DEFAULT_PLAN).toEqual({
      schedule: '1f1b',
      virtualStages: 'fewest',
      stageLayers: 'balanced',
      scheduleMemory: 'usual',
      optimizerOffload: 'none',
      overlapTransfers: true,
      twist: false,
      rematerialize: 'none',
      rematerializeLayers: 'all',
      keepProducts: 'none',
      activations: 'width',
      linears: 'synchronous',
      shard: 'none',
      shardAxes: ['data'],
      shardTensors: 'all',
      shardMinimum: 0,
      prefetch: 1,
      bucket: 'none',
      overlapGradients: true,
      castParameters: 'where-used',
      lossScale: 65536,
      lossScaleInterval: 2000,
    });
    expect(precision).toEqual({ compute: 'f32', parameters: 'f32', gradients: 'f32', optimizer: 'f32' });
  });

  test('says lists as lists or as the short form does', () => {
    const of = (plan: string) => resolveJob(job(plan), always).plan;
    const lists = '{ rematerialize: full, rematerializeLayers: [0, 1, 3], shard: parameters, shardAxes: [data] }';
    const texts = '{ rematerialize: full, rematerializeLayers: "0-1,3", shard: parameters, shardAxes: data }';
    expect(of(lists)).toEqual(of(texts));
    expect(of('{ rematerialize: full, rematerializeLayers: 3 }').rematerializeLayers).toEqual([3]);
    const tensors = of('{ shard: gradients, shardTensors: [encoder/*/kernel, classifier/kernel], bucket: 25 MB }');
    expect(tensors).toMatchObject({ shardTensors: ['encoder/*/kernel', 'classifier/kernel'], bucket: 25e6 });
  });

  test('that is written spells every option out and gives the same plan again', () => {
    const text =
      'data=2 microbatches=2 rematerialize=full rematerialize-layers=0,2-3 shard=parameters ' +
      'shard-tensors=encoder/*/kernel shard-minimum=100 prefetch=2 bucket=25MB optimizer-state=bf16';
    const input: JobInput = { ...job('{}'), plan: parsePlanInput(text, 'plan') };
    const first = resolveJob(input, always);
    expect(formatPlan(first.plan)).toBe(text);
    const written = formatJob(first);
    for (const line of ['linears: synchronous', 'rematerializeLayers: 0,2-3', 'bucket: 25MB', 'compute: f32'])
      expect(written).toContain(`  ${line}\n`);
    expect(resolveJob(parseJob(written, 'again.yaml'), always)).toEqual(first);
  });

  test('is overridden option by option, also among the types', () => {
    const over = { plan: { linears: 'ring', precision: { gradients: 'bf16' } } } as const;
    expect(mergeJobs(job('{ mesh: { model: 2 }, precision: { optimizer: bf16 } }'), over).plan).toEqual({
      mesh: { model: 2 },
      linears: 'ring',
      precision: { optimizer: 'bf16', gradients: 'bf16' },
    });
  });

  test.each([
    [
      '{ linears: rings }',
      'JOB_INVALID at j:5 (plan.linears): expected one of synchronous, ring, bidirectional, ring-bulk, got "rings"',
    ],
    ['{ bucket: 25 }', 'JOB_INVALID at j:5 (plan.bucket): expected none, or bytes with a unit, as in 25MB, got 25'],
    [
      '{ shardAxes: [] }',
      'JOB_INVALID at j:5 (plan.shardAxes): expected one or more of replica, data, sequence, model, got []',
    ],
    [
      '{ rematerializeLayers: [-1] }',
      'JOB_INVALID at j:5 (plan.rematerializeLayers): expected all, or layers from 0, as in 0-11,40-47, got [-1]',
    ],
    [
      '{ precision: { compute: f8 } }',
      'JOB_INVALID at j:5 (plan.precision.compute): expected one of f64, f32, bf16, f16, got "f8"',
    ],
    ['{ prefetched: 1 }', 'did you mean prefetch?'],
    ['{ precision: { state: f32 } }', 'FIELD_UNKNOWN at j:5 (plan.precision.state)'],
  ])('%s is refused with its line', (plan, message) => {
    expect(() => job(plan)).toThrow(message);
  });

  test('holds the precision: beside it, it is refused with where it went', () => {
    const beside = 'model: vit-tiny\nhardware: local\nprecision: { compute: f32 }\n';
    expect(() => parseJob(beside, 'j')).toThrow(
      'JOB_INVALID at j:3 (precision): expected it in the plan, as plan.precision, got {"compute":"f32"}',
    );
    expect(() => parseJob('precison: {}', 'j')).not.toThrow(/one of [^;]*precision/);
  });
});

test('a type that is as usual is no part of the plan, whether it was given or not', () => {
  const of = (precision: NonNullable<JobInput['plan']>['precision']) =>
    resolveJob({ model: 'vit-tiny', hardware: 'tpu-v4', plan: { precision } }, always);
  expect(of({ compute: 'bf16', parameters: 'f32' })).toEqual(of(undefined));
  expect(of({ parameters: 'bf16' }).precision).toEqual({
    compute: 'bf16',
    parameters: 'bf16',
    gradients: 'bf16',
    optimizer: 'bf16',
  });
  expect(formatPlan(of({ compute: 'f32', optimizer: 'bf16' }).plan)).toBe(
    'data=1 microbatches=1 compute=f32 optimizer-state=bf16',
  );
});

describe('the passes are told', () => {
  const options = (plan: string, hardware = 'local') =>
    lowerOptions(
      resolveJob({ model: 'vit-tiny', hardware, chips: 4, batch: 32, plan: parsePlanInput(plan, 'plan') }, always),
    );

  test('the defaults of a plan that says nothing', () => {
    expect(options('data=4')).toEqual({
      microbatches: 1,
      optimizer: expect.objectContaining({ kind: 'adamw' }) as unknown,
      rematerialize: 'none',
      linears: 'synchronous',
      overlapGradients: true,
      castOnce: false,
      gradientType: 'f32',
      optimizerType: 'f32',
    });
  });

  test('every option that a plan says, patterns as the names that they match', () => {
    const told = options(
      'data=2,model=2 microbatches=2 rematerialize=matmuls rematerialize-layers=1-2 linears=ring shard=parameters ' +
        'shard-tensors=encoder/*/kernel,*/position shard-minimum=100 prefetch=2 bucket=1MB overlap-gradients=false ' +
        'gradients=bf16 optimizer-state=bf16',
    );
    expect(told).toMatchObject({
      microbatches: 2,
      rematerialize: 'matmuls',
      rematerializeLayers: [1, 2],
      linears: 'ring',
      shard: {
        stage: 'parameters',
        axes: ['data'],
        tensors: ['embed/position', 'encoder/in/kernel', 'encoder/out/kernel'],
        minimumElements: 100,
        prefetch: 2,
      },
      bucketBytes: 1e6,
      overlapGradients: false,
      gradientType: 'bf16',
      optimizerType: 'bf16',
    });
    expect(told).not.toHaveProperty('lossScaling');
  });

  test('of loss scaling where f16 is computed in', () => {
    const plan = 'data=4 compute=f16 loss-scale=1024';
    expect(options(plan, 'h100-80gb-sxm')).toMatchObject({ lossScaling: { initial: 1024, interval: 2000 } });
  });
});
