/** How a framework writes a model down and what it keeps: the same numbers, other ops, other memory. */
import { describe, expect, test } from 'vitest';
import type { ModelForm } from '../../src/models/index.js';
import { DEFAULT_FORM } from '../../src/models/index.js';
import type { Op, Program, ValueType } from '../../src/program/index.js';
import { countMatmulFlops, forEachOp, typeBytes, unstacked } from '../../src/program/index.js';
import { KEEP_LEAST } from '../../src/program/passes/keeping.js';
import type { PlanCase, StepCase } from '../agreement/case.js';
import { OPTIMIZERS, interpretStep, lowerStep, worstTensor } from '../agreement/case.js';
import { SMALL_DECODER } from '../helpers/models.js';
import { follow, interpretPipeline, scheduled } from './pipeline/run.js';

const stepOf = (plan: Partial<PlanCase>, types: Partial<StepCase> = {}): StepCase => ({
  model: SMALL_DECODER,
  plan: { mesh: {}, microbatches: 1, ...plan },
  batch: 4,
  optimizer: OPTIMIZERS.sgd,
  parameterType: 'f64',
  computeType: 'f64',
  ...types,
});

const COMPOSED: ModelForm = { ...DEFAULT_FORM, norms: 'composed' };
const GATHERED: ModelForm = { ...DEFAULT_FORM, logits: 'gathered' };
const APART: ModelForm = { ...DEFAULT_FORM, gates: 'apart' };
const SHARDED = {
  mesh: { data: 2, model: 4 },
  activations: 'replicated',
  shard: { stage: 'parameters', axes: ['data'], minimumElements: 1, prefetch: 0 },
} as const;
/** As an eager framework keeps it: views of what it keeps are made again, and modules are run again as a whole. */
const REPLAYED = { ...KEEP_LEAST, views: new Set(['copy_to_shards', 'split']), replays: true, modules: true };

/** What the layers leave for the backward pass, each an element of a stack. */
function residuals({ ops, values }: Program): ValueType[] {
  const found: ValueType[] = [];
  const look = (op: Op): void => {
    if (op.name === 'repeat' && op.id === 'decoder')
      op.results.slice(1).forEach((id) => found.push(unstacked(values[id]!.type)));
    op.region?.ops.forEach(look);
  };
  ops.forEach(look);
  return found;
}

const bytesOf = (types: readonly ValueType[]): number => types.reduce((sum, type) => sum + typeBytes(type), 0);

describe('a model as a framework writes it', () => {
  test.each([
    ['composed norms', {}, COMPOSED],
    ['composed norms of a width that is sharded', { mesh: { model: 2 } }, COMPOSED],
    ['composed norms of tokens that are sharded', { mesh: { model: 2 }, activations: 'sequence' }, COMPOSED],
    ['gathered logits', { mesh: { data: 2, model: 2 }, activations: 'replicated' }, GATHERED],
    ['gathered logits of sharded tokens', { mesh: { model: 4 }, activations: 'sequence' }, GATHERED],
  ] as const)('has the same loss, gradients and update: %s', (_, plan, form) => {
    const expected = interpretStep(stepOf({}));
    const got = interpretStep(stepOf({ ...plan, form }));
    expect([...got.keys()].sort()).toEqual([...expected.keys()].sort());
    expect(worstTensor(expected, got).error).toBeLessThan(1e-9);
  });

  test.each([
    ['whole', { mesh: { model: 2 }, activations: 'replicated' }],
    ['by tokens', { mesh: { model: 2 }, activations: 'sequence' }],
    ['by width', { mesh: { model: 2 } }],
    ['whole, in parts of a batch', { mesh: { data: 2, model: 2 }, activations: 'replicated', microbatches: 2 }],
    ['whole, in parts of a sequence', { mesh: { model: 2, sequence: 2 }, activations: 'replicated' }],
    ['whole, with rings beside linears', { mesh: { model: 2 }, activations: 'replicated', linears: 'ring' }],
    ['whole, with parameters sharded', SHARDED],
    ['whole, made again', { mesh: { model: 2 }, activations: 'replicated', rematerialize: 'full' }],
    ['whole, replayed', { mesh: { model: 2 }, activations: 'replicated', rematerialize: 'full', keeping: REPLAYED }],
  ] as const)('has the same with gate and up projection apart, a stream that is sharded %s', (_, plan) => {
    const expected = interpretStep(stepOf({ form: APART }));
    expect(worstTensor(expected, interpretStep(stepOf({ ...plan, form: APART }))).error).toBeLessThan(1e-9);
  });

  test.each(['1f1b', 'zb-h1'] as const)('has the same in stages with gate and up projection apart: %s', (schedule) => {
    const model = { ...SMALL_DECODER, depth: 3 };
    const plan = { mesh: { model: 2 }, microbatches: 2, activations: 'replicated', form: APART } as const;
    const found = scheduled(schedule, 2, 2, [1, 2]);
    const got = interpretPipeline({ ...stepOf(plan), model }, found.pipe, follow(found.schedule));
    expect(worstTensor(got, interpretStep({ ...stepOf({ form: APART }), model })).error).toBeLessThan(1e-9);
  });

  test('with gate and up projection apart each sums the gradient of a whole input: five sums a layer, not four', () => {
    const sums = (form: ModelForm, activations: 'replicated' | 'sequence'): number => {
      let found = 0;
      forEachOp(lowerStep(stepOf({ mesh: { model: 2 }, activations, form })).ops, ({ name, id, phase }, times) => {
        if (name === 'all_reduce' && phase !== 'reduce' && id.startsWith('decoder')) found += times;
      });
      return found / SMALL_DECODER.depth;
    };
    expect([sums(DEFAULT_FORM, 'replicated'), sums(APART, 'replicated')]).toEqual([4, 5]);
    expect(sums(APART, 'sequence')).toBe(0);
  });

  test('gathers logits once a microbatch, and each chip then has all of them', () => {
    const gathers = (form?: ModelForm): number => {
      const { ops } = lowerStep(stepOf({ mesh: { model: 2 }, activations: 'replicated', ...(form ? { form } : {}) }));
      let found = 0;
      forEachOp(ops, ({ name, id }, times) => {
        if (name === 'all_gather' && id.startsWith('head/')) found += times;
      });
      return found;
    };
    expect(gathers()).toBe(0);
    expect(gathers(GATHERED)).toBe(1);
  });
});

describe('what is kept for the backward pass', () => {
  const halves = { parameterType: 'f32', computeType: 'bf16' } as const;
  const kept = (plan: Partial<PlanCase>): ValueType[] => residuals(lowerStep(stepOf(plan, halves)));

  test('a norm that is fused keeps nothing in f32 but its moments, one that is composed a copy of its input', () => {
    const wide = (plan: Partial<PlanCase>): number[] =>
      kept(plan).flatMap(({ dtype, shape }) => (dtype === 'f32' && shape.length === 3 ? [shape[2]!] : []));
    expect(new Set(wide({}))).toEqual(new Set([1]));
    const composed = wide({ form: COMPOSED, keeping: { ...KEEP_LEAST, casts: true } });
    expect(composed.filter((size) => size === SMALL_DECODER.width)).toHaveLength(2);
  });

  test('of sharded tokens the shard, or all of what was gathered', () => {
    const plan = { mesh: { model: 2 }, activations: 'sequence' } as const;
    const { width, sequence } = SMALL_DECODER;
    const least = bytesOf(kept(plan));
    const whole = bytesOf(kept({ ...plan, keeping: { ...KEEP_LEAST, gathers: true } }));
    // Each of two norms' outputs, in halves, whole instead of one of two shards.
    expect(whole - least).toBe(2 * (4 * sequence * width * 2) * (1 / 2));
  });

  test('of a view what it is a view of, once', () => {
    const { heads, keyValueHeads, headWidth, sequence } = SMALL_DECODER;
    const plan = { fusedAttention: true };
    const parts = bytesOf(kept(plan));
    const views = bytesOf(kept({ ...plan, keeping: { ...KEEP_LEAST, views: new Set(['split', 'split_heads']) } }));
    // The value was kept already; query and key were as they are after their rotation, which is no view.
    expect(views - parts).toBe(4 * sequence * (heads + keyValueHeads) * headWidth * 2);
  });

  test('a layer that is replayed multiplies all again that its forward pass does; otherwise all but its last matmul', () => {
    const backward = (plan: Partial<PlanCase>): number => countMatmulFlops(lowerStep(stepOf(plan))).backward;
    const { depth, sequence, mlpWidth, width, vocabulary } = SMALL_DECODER;
    const tokens = 4 * sequence;
    const forward = countMatmulFlops(lowerStep(stepOf({}))).forward;
    const head = 2 * tokens * width * vocabulary;
    const last = depth * 2 * tokens * mlpWidth * width;
    const none = backward({});
    const needed = backward({ rematerialize: 'full' });
    const replayed = backward({ rematerialize: 'full', keeping: { ...KEEP_LEAST, replays: true } });
    expect(replayed - none).toBe(forward - head);
    expect(replayed - needed).toBe(last);
  });

  test('where all modules are replayed, the head is multiplied again too', () => {
    const backward = (modules: boolean): number =>
      countMatmulFlops(lowerStep(stepOf({ rematerialize: 'full', keeping: { ...KEEP_LEAST, replays: true, modules } })))
        .backward;
    const { sequence, width, vocabulary } = SMALL_DECODER;
    expect(backward(true) - backward(false)).toBe(2 * 4 * sequence * width * vocabulary);
  });

  test.each([false, true])('replaying changes no number, all modules: %s', (modules) => {
    const plan = { mesh: { model: 2 }, rematerialize: 'full' } as const;
    const expected = interpretStep(stepOf(plan));
    const got = interpretStep(stepOf({ ...plan, keeping: { ...KEEP_LEAST, replays: true, modules } }));
    expect(worstTensor(expected, got).error).toBe(0);
  });
});

test('a gathered parameter counts as a parameter', () => {
  const shard = { stage: 'optimizer', axes: ['data'], minimumElements: 1, prefetch: 1 } as const;
  const { ops, values } = lowerStep(stepOf({ mesh: { data: 4 }, shard }));
  const roles: string[] = [];
  forEachOp(ops, ({ name, results }) => {
    if (name === 'all_gather') roles.push(...results.map((id) => values[id]!.role));
  });
  expect(new Set(roles)).toEqual(new Set(['parameter']));
});
