/** What a step tells beside its loss: the same on any plan, and nothing else of the step is another for it. */
import { describe, expect, test } from 'vitest';
import type { Program } from '../../src/program/index.js';
import { forEachOp, isCollective, REMATERIALIZATIONS, SHARD_STAGES } from '../../src/program/index.js';
import { SCHEDULE_NAMES, fewestChunks } from '../../src/program/schedules/index.js';
import type { HostTensor } from '../../src/runtime/index.js';
import { numbersOf } from '../../src/runtime/kernels/tensors.js';
import type { PlanCase, StepCase } from '../agreement/case.js';
import { interpretStep, lowerStep, OPTIMIZERS, UNSHARDED } from '../agreement/case.js';
import { DECODER_VARIANTS, SMALL_DECODER, SMALL_VIT } from '../helpers/models.js';
import { follow, interpretPipeline, lowerPipelineOf, scheduled } from './pipeline/run.js';

const MODELS = {
  vit: SMALL_VIT,
  decoder: SMALL_DECODER,
  'tied decoder': DECODER_VARIANTS['as GPT']!,
  'multi-query decoder': DECODER_VARIANTS['serial layers, one key and value head']!,
} as const;
type ModelName = keyof typeof MODELS;
const names = Object.keys(MODELS) as ModelName[];

const stepOf = (model: ModelName, plan: PlanCase, depth = MODELS[model].depth): StepCase => ({
  model: { ...MODELS[model], depth },
  plan,
  batch: 8,
  optimizer: OPTIMIZERS.adamw,
  parameterType: 'f64',
  computeType: 'f64',
});

const numberOf = (tensors: ReadonlyMap<string, HostTensor>, name: string): number => numbersOf(tensors.get(name)!)[0]!;

/** The norm of all whole gradients together, each tensor of which is there once. */
const normOf = (tensors: ReadonlyMap<string, HostTensor>): number =>
  Math.sqrt(
    [...tensors]
      .filter(([name]) => name.startsWith('gradient:'))
      .reduce((total, [, tensor]) => [...numbersOf(tensor)].reduce((sum, x) => sum + x * x, total), 0),
  );

interface Expected {
  readonly gradientNorm: number;
  readonly largestAttentionLogit: number;
}

const known = new Map<string, Expected>();

/** Of one rank whose step is not looked at: from its gradients, and from what its softmaxes are given. */
function expected(model: ModelName, depth: number = MODELS[model].depth): Expected {
  const key = `${model} ${depth}`;
  const before = known.get(key);
  if (before !== undefined) return before;
  let largestAttentionLogit = 0;
  const tensors = interpretStep(stepOf(model, UNSHARDED, depth), 3, ({ name, phase }, [scores]) => {
    if (name !== 'softmax' || phase !== 'forward') return;
    for (const logit of numbersOf(scores!)) largestAttentionLogit = Math.max(largestAttentionLogit, Math.abs(logit));
  });
  const found = { gradientNorm: normOf(tensors), largestAttentionLogit };
  known.set(key, found);
  return found;
}

function expectSame(got: ReadonlyMap<string, HostTensor>, wanted: Expected): void {
  for (const name of ['gradientNorm', 'largestAttentionLogit'] as const) {
    expect(wanted[name], name).toBeGreaterThan(1e-3);
    expect(numberOf(got, name) / wanted[name] - 1, name).toBeCloseTo(0, 9);
  }
}

const agrees = (model: ModelName, plan: PlanCase): void =>
  expectSame(interpretStep(stepOf(model, { ...plan, monitored: true })), expected(model));

describe('gradient norm and largest attention logit are those of one rank', () => {
  test.each(names)('of a %s', (model) => {
    agrees(model, UNSHARDED);
    agrees(model, { mesh: { data: 2 }, microbatches: 4 });
    agrees(model, { mesh: { data: 2, model: 2 }, microbatches: 2, activations: 'sequence' });
    agrees(model, { mesh: { replica: 2, data: 2 }, microbatches: 1 });
  });

  describe.each(SHARD_STAGES)('with shard=%s', (stage) => {
    test.each([false, true])('overlapping its gradients: %s', (overlapGradients) => {
      const shard = { stage, axes: ['data', 'model'], minimumElements: 50, prefetch: 1 } as const;
      for (const mesh of [{ data: 4 }, { data: 2, model: 2 }, { replica: 2, data: 2 }])
        agrees('vit', { mesh, microbatches: 2, shard, overlapGradients, activations: 'sequence' });
    });
  });

  test.each(REMATERIALIZATIONS)('with rematerialize=%s, in some layers too', (rematerialize) => {
    agrees('decoder', { mesh: { model: 2 }, microbatches: 2, rematerialize });
    agrees('vit', { mesh: { data: 2 }, microbatches: 2, rematerialize, rematerializeLayers: [1] });
    agrees('vit', { mesh: { data: 2 }, microbatches: 1, rematerialize, fusedAttention: true });
  });

  test('with rings, and activations in each layout', () => {
    for (const activations of ['width', 'sequence', 'replicated'] as const)
      agrees('vit', { mesh: { model: 4 }, microbatches: 1, activations, linears: 'bidirectional' });
  });

  test('with tokens dealt over chips', () => {
    agrees('decoder', { mesh: { data: 2, sequence: 2 }, microbatches: 2 });
    agrees('tied decoder', { mesh: { sequence: 4 }, microbatches: 1 });
  });

  describe.each(SCHEDULE_NAMES)('in a pipeline by %s', (name) => {
    const stages = 2;
    const chunks = fewestChunks(name);
    test.each(['vit', 'decoder', 'tied decoder'] as const)('of a %s', (model) => {
      const layers = Array.from({ length: stages * chunks }, () => 1).with(0, 2);
      const depth = layers.reduce((sum, count) => sum + count, 0);
      const shard = { stage: 'optimizer', axes: ['data'], minimumElements: 0, prefetch: 1 } as const;
      const { pipe, schedule } = scheduled(name, stages, 2, layers);
      const plan: PlanCase = { mesh: { data: 2 }, microbatches: 2, shard, monitored: true };
      expectSame(interpretPipeline(stepOf(model, plan, depth), pipe, follow(schedule)), expected(model, depth));
    });

    test('of which a stage has no layer', () => {
      const layers = Array.from({ length: stages * chunks }, () => 1).with(-1, 0);
      const depth = layers.length - 1;
      const { pipe, schedule } = scheduled(name, stages, 2, layers);
      const example = stepOf('tied decoder', { mesh: {}, microbatches: 2, monitored: true }, depth);
      expectSame(interpretPipeline(example, pipe, follow(schedule)), expected('tied decoder', depth));
    });
  });
});

describe('where the loss is scaled', () => {
  const scaled = (initial: number): StepCase => ({
    ...stepOf('decoder', {
      mesh: { data: 2 },
      microbatches: 2,
      monitored: true,
      lossScaling: { initial, interval: 9 },
    }),
    parameterType: 'f32',
    computeType: 'f16',
  });

  test('the gradient norm is without the scale', () => {
    const got = interpretStep(scaled(1024));
    expect((numberOf(got, 'gradientNorm') * 1024) / normOf(got)).toBeCloseTo(1, 5);
    expect(numberOf(got, 'gradientNorm') / expected('decoder').gradientNorm).toBeCloseTo(1, 1);
  });

  test('the norm of a step that overflows is not finite, in a pipeline as without', () => {
    expect(Number.isFinite(numberOf(interpretStep(scaled(2 ** 40)), 'gradientNorm'))).toBe(false);
    const { pipe, schedule } = scheduled('1f1b', 2, 2, [1, 1]);
    const got = interpretPipeline(scaled(2 ** 40), pipe, follow(schedule));
    expect(Number.isFinite(numberOf(got, 'gradientNorm'))).toBe(false);
  });
});

describe('a step that is looked at', () => {
  const shard = { stage: 'parameters', axes: ['data'], minimumElements: 0, prefetch: 1 } as const;
  const plans: readonly PlanCase[] = [
    UNSHARDED,
    { mesh: { data: 2 }, microbatches: 2, overlapGradients: true },
    { mesh: { data: 2 }, microbatches: 2, shard, rematerialize: 'full' },
  ];

  /** Ids of what is timed, in their order, and of collectives. */
  function timed({ ops }: Program): { kernels: string[]; collectives: string[] } {
    const [kernels, collectives]: [string[], string[]] = [[], []];
    forEachOp(ops, (op) => {
      if (op.name === 'kernel' && !op.id.startsWith('monitor/')) kernels.push(op.id);
      if (isCollective(op.name)) collectives.push(op.id);
    });
    return { kernels, collectives };
  }

  test.each(plans)('computes all else as others do, bit for bit, under the same ids: $mesh', (plan) => {
    const looked = { ...plan, monitored: true };
    const [plain, got] = [interpretStep(stepOf('vit', plan)), interpretStep(stepOf('vit', looked))];
    for (const [name, tensor] of plain) expect(got.get(name), name).toEqual(tensor);
    expect(timed(lowerStep(stepOf('vit', looked)))).toEqual(timed(lowerStep(stepOf('vit', plan))));
  });

  test('has the same ids in every program of a pipeline', () => {
    const { pipe } = scheduled('zb-v', 2, 2, [1, 1, 1, 1]);
    const idsOf = (monitored: boolean) => {
      const { stages, virtual } = lowerPipelineOf(
        stepOf('tied decoder', { mesh: {}, microbatches: 2, monitored }, 4),
        pipe,
      );
      return [
        ...stages.map(({ start, finish }) => [start!, ...finish].map(timed)),
        ...virtual.map(({ slots, last }) => [slots, last].map((one) => Object.values(one).map(timed))),
      ];
    };
    expect(idsOf(true)).toEqual(idsOf(false));
  });
});
