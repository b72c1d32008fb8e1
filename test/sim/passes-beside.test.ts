/** What a framework moves beside the ops of a program: dropout, copies around attention, what it has op by op. */
import { describe, expect, it } from 'vitest';
import type { Stack } from '../../src/hardware/index.js';
import { loadStack } from '../../src/hardware/index.js';
import type { Op } from '../../src/program/index.js';
import { checkPlan, lowerJob, parsePlan, resolveTask } from '../../src/job/index.js';
import { stepMemory } from '../../sim/cost/index.js';
import { planProgram } from '../../sim/plan.js';
import { seconds } from '../../src/units.js';
import { SMALL_DECODER } from '../helpers/models.js';
import { machineOf, switchOf, withTopology } from './helpers.js';

const { depth, heads, sequence, vocabulary } = SMALL_DECODER;
const BATCH = 2;
/** Of what the job computes with. */
const BYTES = 2;

const plain: Stack = { ...loadStack('megatron-lm'), attention: 'unfused', attentionDropout: false };

function programOf(stack: Stack, batch = BATCH, plan = 'data=1', chips = 1) {
  const task = resolveTask({ model: 'gpt2', hardware: 'tpu-v4', chips, batch });
  const job = checkPlan(
    { ...task, model: SMALL_DECODER, hardware: withTopology(switchOf(chips)) },
    parsePlan(`${plan} microbatches=1`),
  );
  return lowerJob(job, { fusedAttention: stack.attention === 'fused' });
}

/** Bytes and launches of a step, and by kernels with an op of a name. */
function stepOf(stack: Stack, batch = BATCH, plan = 'data=1', chips = 1) {
  const program = programOf(stack, batch, plan, chips);
  const { kernels } = planProgram(program, machineOf(switchOf(chips), program.mesh), stack);
  const has = (op: Op, name: string): boolean => op.region!.ops.some((one) => one.name === name);
  const sum = (of: (cost: (typeof kernels)[number]['cost']) => number, name?: string): number =>
    kernels
      .filter(({ op }) => name === undefined || has(op, name))
      .reduce((total, { times, cost }) => total + times * of(cost), 0);
  return {
    bytes: sum(({ memoryBytes }) => memoryBytes),
    launches: sum(({ pieces }) => pieces),
    overhead: sum(({ overheadSeconds }) => overheadSeconds),
  };
}

const scores = (batch: number): number => depth * batch * heads * sequence * sequence;

describe('dropout of attention', () => {
  it('reads and writes scores in 16 bits and a mask of bytes, forward and backward, in launches of its own', () => {
    const [without, with_] = [stepOf(plain), stepOf({ ...plain, attentionDropout: true })];
    expect(with_.bytes - without.bytes).toBe(2 * 5 * scores(BATCH));
    expect(with_.launches - without.launches).toBe(2 * depth);
  });

  it('is part of a fused attention', () => {
    const fused: Stack = { ...plain, attention: 'fused' };
    expect(stepOf({ ...fused, attentionDropout: true })).toEqual(stepOf(fused));
  });
});

describe('a softmax whose kernel wants a multiple of heads times sequences', () => {
  it('is one kernel where it has it, and op by op in f32 where it has not', () => {
    const rows = BATCH * heads;
    expect(stepOf({ ...plain, softmaxMultiple: rows })).toEqual(stepOf(plain));
    const [one, byOp] = [stepOf(plain), stepOf({ ...plain, softmaxMultiple: 2 * rows })];
    expect(byOp.bytes - one.bytes).toBe((6 + 8 + 9 + 4 + 6 + 6 + 6 + 9 + 8 + 6) * scores(BATCH));
    expect(byOp.launches - one.launches).toBe(10 * depth);
    expect(stepOf({ ...plain, softmaxMultiple: 2 * rows }, 2 * BATCH)).toEqual(stepOf(plain, 2 * BATCH));
  });
});

describe('a loss op by op', () => {
  const logits = BATCH * sequence * vocabulary;
  const { crossEntropy, ...inOne } = plain;
  const withPasses = (forwardBytesPerLogit: readonly number[], backwardBytesPerLogit: readonly number[]): Stack => ({
    ...inOne,
    crossEntropy: { forwardBytesPerLogit, backwardBytesPerLogit },
  });

  it('launches each of its passes', () => {
    const { forwardBytesPerLogit, backwardBytesPerLogit } = crossEntropy!;
    const more = forwardBytesPerLogit.length + backwardBytesPerLogit.length - 2;
    expect(stepOf(plain).launches - stepOf(inOne).launches).toBe(more);
  });

  it('moves the bytes of a pass more with each pass', () => {
    const [some, more] = [stepOf(withPasses([6, 8], [8, 6])), stepOf(withPasses([6, 8, 4], [8, 8, 8, 6]))];
    expect(more.bytes - some.bytes).toBe((4 + 8 + 8) * logits);
    expect(more.launches - some.launches).toBe(3);
  });

  it('never moves less than what it reads and leaves', () => {
    expect(stepOf(withPasses([0.5, 0.5], [0.5])).bytes).toBe(stepOf(inOne).bytes);
  });
});

describe('around a fused attention', () => {
  const fused: Stack = { ...plain, attention: 'fused', hiddenDropout: false };
  const none = { operands: 0, result: 0 };
  const copying = (forward: typeof none, backward: typeof none, fromSequences = 1): Stack => ({
    ...fused,
    attentionCopies: { forward, backward, fromSequences },
  });
  const without: Stack = copying(none, none);
  const { keyValueHeads, headWidth } = SMALL_DECODER;
  const tokens = depth * BATCH * sequence * headWidth;
  const operands = tokens * (heads + 2 * keyValueHeads);
  const result = tokens * heads;

  it.each([
    ['queries, keys and values', copying({ operands: 1, result: 0 }, none), operands, 3],
    ['their gradients', copying(none, { operands: 1, result: 0 }), operands, 3],
    ['the result, twice', copying({ operands: 0, result: 2 }, none), 2 * result, 2],
    ['its gradient', copying(none, { operands: 0, result: 1 }), result, 1],
  ] as const)('copies of %s read and write it', (_, stack, elements, launches) => {
    const [before, after] = [stepOf(without), stepOf(stack)];
    expect(after.bytes - before.bytes).toBe(2 * BYTES * elements);
    expect(after.launches - before.launches).toBe(launches * depth);
  });

  it('copies are made from as many sequences on as it says, and of no unfused attention', () => {
    const each = { operands: 1, result: 1 };
    expect(stepOf(copying(each, each, BATCH + 1))).toEqual(stepOf(without));
    expect(stepOf({ ...copying(each, each), attention: 'unfused' })).toEqual(
      stepOf({ ...without, attention: 'unfused' }),
    );
  });

  it('the host is waited for before each forward kernel, and no backward one', () => {
    const waiting: Stack = { ...without, hostOverheadPerAttention: seconds(1e-3) };
    expect(stepOf(waiting).overhead - stepOf(without).overhead).toBeCloseTo(depth * 1e-3, 9);
  });
});

describe('a rotary embedding op by op', () => {
  it('moves 16 bytes an element more forward and 24 backward, of queries and keys, in launches of its own', () => {
    const stack: Stack = { ...plain, hiddenDropout: false };
    const { keyValueHeads, headWidth } = SMALL_DECODER;
    const [one, byOp] = [stepOf(stack), stepOf({ ...stack, rotary: 'composed' })];
    const rotated = depth * BATCH * sequence * headWidth * (heads + keyValueHeads);
    expect(byOp.bytes - one.bytes).toBe((2 + 4 + 4 + 6 + (4 + 2 + 2 + 2 + 2 + 2 + 6 + 6)) * rotated);
    expect(byOp.launches - one.launches).toBe(2 * (4 + 8) * depth);
  });
});

describe('dropout of the stream', () => {
  const passes = 6 * 2 * depth * BATCH * sequence * SMALL_DECODER.width;
  const added = (plan: string, chips: number) => {
    const [without, with_] = [false, true].map((hiddenDropout) =>
      stepOf({ ...plain, hiddenDropout }, BATCH, plan, chips),
    ) as [ReturnType<typeof stepOf>, ReturnType<typeof stepOf>];
    return { bytes: with_.bytes - without.bytes, launches: with_.launches - without.launches };
  };

  it('is a pass for each of the two that come back into it a layer: a mask, and the gradient it drops', () => {
    expect(added('data=1', 1)).toEqual({ bytes: passes, launches: 2 * depth });
  });

  it('is of all tokens on every chip of a tensor group, and of its own where they are sharded', () => {
    expect(added('model=2', 2).bytes).toBe(passes);
    expect(added('model=2 activations=sequence', 2).bytes).toBe(passes / 2);
  });
});

describe('what is kept for the backward pass beside values', () => {
  /** So many that activations are most of the peak. */
  const many = 64;
  const peakOf = (stack: Partial<Stack>, plan = '', of: Partial<Stack> = {}): number => {
    const whole: Stack = { ...plain, hiddenDropout: false, ...of, ...stack };
    return stepMemory(programOf(whole, many, `data=1 ${plan}`), whole).peakBytes;
  };
  const added = (stack: Partial<Stack>, plan?: string, of?: Partial<Stack>) =>
    peakOf(stack, plan, of) - peakOf({}, plan, of);
  const stream = many * sequence * SMALL_DECODER.width;

  it('is two masks of the stream a layer, a byte an element', () => {
    expect(added({ hiddenDropout: true })).toBe(2 * depth * stream);
  });

  it('is a mask of scores and what it leaves of them, 3 bytes each, where attention is not one kernel', () => {
    expect(added({ attentionDropout: true })).toBe(3 * scores(many));
    expect(added({ attentionDropout: true }, '', { attention: 'fused' })).toBe(0);
  });

  it('is nothing that a layer makes again', () => {
    const ofLayer = 2 * stream + (3 * scores(many)) / depth;
    expect(added({ attentionDropout: true, hiddenDropout: true }, 'rematerialize=full')).toBeLessThanOrEqual(ofLayer);
  });
});
