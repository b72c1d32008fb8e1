import { describe, expect, it } from 'vitest';
import { predictRow } from '../../src/cli/validate-task.js';
import { formatPlan } from '../../src/job/index.js';
import { prepareRow } from '../../src/validate/index.js';
import type { Changes } from './rows.js';
import { rowOf } from './rows.js';

const stepOf = (changes: Changes): number => {
  const { status, reason, predictedStepTimeSeconds } = predictRow(rowOf(changes));
  expect({ status, reason }).toEqual({ status: 'predicted' });
  return predictedStepTimeSeconds!;
};
const reasonOf = (changes: Changes): string => {
  const { status, reason, predictedStepTimeSeconds } = predictRow(rowOf(changes));
  expect({ status, predictedStepTimeSeconds }).toEqual({ status: 'unsupported', predictedStepTimeSeconds: null });
  return reason!;
};
const wordsOf = (changes: Changes): string[] => planOf(changes).split(' ');
const including = (...words: string[]): unknown => expect.arrayContaining(words);
const planOf = (changes: Changes): string => formatPlan(prepareRow(rowOf(changes)).job.plan);

describe('a row that can not be expressed says why', () => {
  it.each<[string, Changes, string]>([
    ['a chip', { hardware: { chip: 'abacus' } }, 'no hardware profile of abacus; there are a100-'],
    ['a family', { model: { family: 'mixture' } }, 'the family mixture'],
    ['a type', { plan: { precision: 'fp8' } }, 'precision fp8; there are bf16'],
    ['an attention', { plan: { attention: 'windowed' } }, 'attention windowed; there are flash, unfused'],
    ['what every object has as an attention', { plan: { attention: 'constructor' } }, 'attention constructor; there'],
    ['and as a type', { plan: { precision: 'toString' } }, 'precision toString; there'],
    ['and as a schedule', { plan: { pipe: 2, data: 2, schedule: 'constructor' } }, 'schedule constructor; there'],
    ['and as recomputation', { plan: { recompute: 'valueOf' } }, 'recompute valueOf; there'],
    [
      'and as an activation',
      { plan: { recompute: 'custom', rematerializationSettings: { constructor: 'device' } } },
      'keeping constructor alone',
    ],
    ['what is computed again', { plan: { recompute: 'some' } }, 'recompute some'],
    [
      'a schedule',
      { plan: { pipe: 2, data: 2, schedule: 'zig-zag' } },
      'schedule zig-zag; there are gpipe, 1f1b, interleaved-1f1b',
    ],
    ['a plan of other chips', { plan: { data: 2 } }, 'is 4, not the 8 chips'],
    [
      'slices of other chips',
      { hardware: { chip: 'tpu-v4', network: { slices: 2, chipsPerSlice: 8 } } },
      '2 slices of 8 chips, not the 8 chips',
    ],
    ['shards that do not divide', { plan: { zeroStage: 3, shardParametersOver: 3 } }, 'sharded over 3 chips'],
    ['a batch that does not divide', { plan: { globalBatch: 30 } }, 'a batch of 30 sequences'],
    ['less than a sequence', { plan: { microbatch: 0.5 } }, 'microbatches of 0.5 sequences'],
    ['heads that do not divide', { model: { heads: 5, keyValueHeads: 5 } }, 'PLAN_DOES_NOT_DIVIDE'],
    ['heads that share no key', { model: { keyValueHeads: 3 } }, 'model.keyValueHeads'],
  ])('%s', (_what, changes, says) => expect(reasonOf(changes)).toContain(says));
});

describe('a row becomes a plan', () => {
  it('with its mesh, microbatches and options', () => {
    expect(wordsOf({})).toEqual(including('data=4,model=2', 'microbatches=4', 'activations=replicated'));
    expect(wordsOf({ plan: { sequenceSharded: true, recompute: 'selective' } })).toEqual(
      including('rematerialize=selective', 'activations=sequence'),
    );
    expect(wordsOf({ plan: { data: 8, model: 1, zeroStage: 3, shardParametersOver: 4 } })).toEqual(
      including('replica=2,data=4', 'microbatches=2', 'shard=parameters'),
    );
    expect(planOf({ plan: { zeroStage: 3, shardParametersOver: 8 } })).toContain('shard-axes=data,model');
  });

  it('without what has no effect: shards of one chip, tokens that no axis divides', () => {
    const alone = { data: 1, model: 1, zeroStage: 1, sequenceSharded: true };
    const plan = planOf({ hardware: { chips: 1 }, plan: alone });
    expect(plan).toContain('data=1 microbatches=16');
    expect(plan).not.toMatch(/shard|activations/);
  });

  it('with the schedule by its name here, and the layers of the first and the last stage', () => {
    const pipeline = { pipe: 2, data: 2, microbatch: 1, globalBatch: 16 };
    const of = (plan: object, layers = 4) => planOf({ plan: { ...pipeline, ...plan }, model: { layers } });
    expect(of({ schedule: 'zero-bubble-1p' })).toContain('schedule=zb-1p');
    expect(of({ schedule: 'zero-bubble-v', virtualStages: 2 })).toContain('schedule=zb-v');
    expect(of({ schedule: 'interleaved-1f1b', virtualStages: 1 })).not.toContain('schedule=');
    expect(of({ schedule: '1f1b', virtualStages: 2 })).toContain('schedule=interleaved-1f1b');
    expect(of({ schedule: 'interleaved-1f1b', virtualStages: 2, firstAndLastStageLayersFewer: 1 }, 6)).toContain(
      'stage-layers=1,2,2,1',
    );
  });

  it('with transfers between stages as NeMo has them: beside kernels where stages have several parts', () => {
    const nemo = (virtualStages: number): string[] =>
      wordsOf({ stack: 'nemo-megatron', model: { layers: 8 }, plan: { pipe: 2, data: 2, virtualStages } });
    expect(nemo(1)).toContain('overlap-transfers=false');
    expect(nemo(2)).not.toContain('overlap-transfers=false');
  });

  it('with a vocabulary as its framework fills it up: to 128 on each chip of the model axis', () => {
    const vocabulary = (changes: Changes) => {
      const { model } = prepareRow(rowOf(changes)).job;
      return model.family === 'decoder' && model.vocabulary;
    };
    expect(vocabulary({})).toBe(50432);
    expect(vocabulary({ plan: { data: 8, model: 1 } })).toBe(50304);
    expect(vocabulary({ stack: 'pytorch-fsdp' })).toBe(50258);
  });
});

describe('predictions', () => {
  it('fall back to the default stack where there is none of that name, and say so', () => {
    expect(predictRow(rowOf({ stack: 'unheard-of' })).notes).toEqual([
      'no profile of the stack unheard-of: default taken',
    ]);
    expect(stepOf({ stack: 'unheard-of' })).toBe(stepOf({ stack: 'default' }));
    expect(predictRow(rowOf({ stack: 'default' })).notes).toEqual([]);
  });

  it.each<[string, NonNullable<Changes['plan']>, string]>([
    ['an overlap in other words', { overlap: 'as usual' }, 'what overlap says is none of the names'],
    ['a share of the forward pass', { recompute: 'full', recomputedForwardShare: 0.75 }, 'recomputedForwardShare 0.75'],
    ['microbatches larger than a batch', { microbatch: 16 }, 'microbatches of 8 sequences'],
  ])('say what of a row they do not take: %s', (_what, plan, says) =>
    expect(predictRow(rowOf({ plan })).notes).toEqual([expect.stringContaining(says)]),
  );

  it('follow what a row says of the software', () => {
    expect(stepOf({ plan: { attention: 'flash' } })).toBeLessThan(stepOf({}));
    expect(stepOf({ plan: { recompute: 'full' } })).toBeGreaterThan(stepOf({}));
    const eager = { stack: 'pytorch-fsdp' };
    expect(stepOf({ ...eager, plan: { compiled: true } })).toBeLessThan(stepOf(eager));
  });

  it('move where a mechanism they rest on is left out', () => {
    const recomputed = rowOf({ plan: { recompute: 'full' } });
    const far = rowOf({
      stack: 'pytorch-fsdp',
      hardware: { chipsPerNode: 2, network: { interNodeBytesPerSecondPerNode: 1e10 } },
      plan: { data: 8, model: 1, zeroStage: 3 },
    });
    for (const [row, mechanism] of [
      [recomputed, 'recompute'],
      [far, 'topology'],
    ] as const) {
      const [usual, without] = [predictRow(row), predictRow(row, [mechanism])];
      expect(without.predictedStepTimeSeconds!).toBeLessThan(usual.predictedStepTimeSeconds!);
    }
    const [beside, after] = [predictRow(far), predictRow(far, ['overlap'])];
    expect(after.predictedStepTimeSeconds!).toBeGreaterThan(beside.predictedStepTimeSeconds!);
    const saying = (overlap: string) => predictRow({ ...far, plan: { ...far.plan, overlap } }).predictedStepTimeSeconds;
    for (const overlap of ['none', 'no overlap', 'off']) expect(saying(overlap)).toBe(after.predictedStepTimeSeconds);
    // What is not known is no word against it.
    for (const overlap of ['not stated', 'NCCL', 'normal'])
      expect(saying(overlap)).toBe(beside.predictedStepTimeSeconds);
  });

  it('need no topology for a torus either', () => {
    const row = rowOf({
      stack: 'maxtext-xla',
      hardware: { chip: 'tpu-v4', chips: 64, chipsPerNode: null, network: { slices: 1, sliceShape: [4, 4, 4] } },
      plan: { data: 32, zeroStage: 3, globalBatch: 64 },
    });
    expect(predictRow(row, ['topology']).predictedStepTimeSeconds).not.toBe(predictRow(row).predictedStepTimeSeconds);
  });

  it('follow the network of a row', () => {
    const on = (rate: number, chipsPerNode = 4) =>
      stepOf({ hardware: { chipsPerNode, network: { interNodeBytesPerSecondPerNode: rate } } });
    expect(on(1e9)).toBeGreaterThan(on(1e11));
    expect(on(1e9, 8)).toBe(on(1e11, 8));
  });

  it('of a smaller last microbatch lie between those without it and with a whole one', () => {
    const of = (sequences: number) => stepOf({ plan: { microbatch: 4, globalBatch: 4 * sequences } });
    expect(of(10)).toBeGreaterThan(of(8));
    expect(of(10)).toBeLessThan(of(12));
    expect(predictRow(rowOf({ plan: { microbatch: 4, globalBatch: 40 } })).notes[0]).toContain('smaller');
  });

  it('take the fastest slice of a torus where its shape is not stated, and name it', () => {
    const torus = (sliceShape: number[] | null) =>
      rowOf({
        stack: 'maxtext-xla',
        hardware: { chip: 'tpu-v4', chips: 64, chipsPerNode: null, network: { slices: 1, sliceShape } },
        plan: { data: 32, zeroStage: 3, globalBatch: 64 },
      });
    const open = predictRow(torus(null));
    expect(open.notes).toHaveLength(1);
    expect(open.notes[0]).toMatch(
      /^slice not stated: [\d×]+, the fastest of \d+ shapes, the slowest of which takes [\d.]+ % longer$/,
    );
    for (const shape of [
      [4, 4, 4],
      [2, 4, 8],
    ]) {
      const stated = predictRow(torus(shape));
      expect(stated.notes).toEqual([]);
      expect(open.predictedStepTimeSeconds!).toBeLessThanOrEqual(stated.predictedStepTimeSeconds!);
    }
  });

  it('of measured stages are the schedule and the update: one microbatch goes through all of them and back', () => {
    const stepWhere = (scale: number): number => {
      const profiledStageSeconds = { forward: scale, backwardInput: 2 * scale, backwardWeight: 3 * scale, transfer: 0 };
      const plan = { pipe: 8, data: 1, model: 1, microbatch: 1, globalBatch: 1, profiledStageSeconds };
      return stepOf({ plan, model: { layers: 8 } });
    };
    // The update takes what it takes, however long slots are.
    expect(stepWhere(2) - stepWhere(1)).toBeCloseTo(8 * 6, 6);
    expect(stepWhere(1)).toBeGreaterThan(8 * 6);
    expect(stepWhere(1)).toBeLessThan(8 * 6 + 0.01);
  });
});
