import { describe, expect, test } from 'vitest';
import { countParameters, formulaFlops, lowerJob, modelFlops, resolveJob, resolveTask } from '../../src/job/index.js';
import { createMesh } from '../../src/mesh/index.js';
import type { ActivationLayout, DecoderConfig } from '../../src/models/index.js';
import { checkModelPlan, findModel, forward, tokensPerExample } from '../../src/models/index.js';
import { attributesOf, forEachOp, print } from '../../src/program/index.js';
import { DECODER_VARIANTS, SMALL_DECODER, SMALL_VIT } from '../helpers/models.js';

const total = (name: string): number => {
  const { body, pooling, classifier } = countParameters(findModel(name));
  return body + pooling + classifier;
};

describe('parameters of the published models', () => {
  // Weights as released: Hugging Face's counts of `openai-community/gpt2*` and `meta-llama/*`.
  test.each([
    ['llama-2-7b', 6738415616],
    ['llama-2-13b', 13015864320],
    ['llama-2-70b', 68976648192],
    ['llama-3-8b', 8030261248],
    ['llama-3-70b', 70553706496],
    ['llama-3-405b', 405853388800],
  ])('%s: %d', (name, published) => expect(total(name)).toBe(published));

  test.each([
    ['gpt2', 124439808],
    ['gpt2-medium', 354823168],
    ['gpt2-large', 774030080],
    ['gpt2-xl', 1557611200],
  ])('%s: %d, but for 47 padded entries of the vocabulary', (name, published) =>
    expect(total(name)).toBe(published + 47 * (findModel(name) as DecoderConfig).width),
  );

  // Brown et al. 2020, Table 2.1; Chowdhery et al. 2022, Table 1.
  test.each([
    ['gpt3-175b', 175.0e9],
    ['palm-8b', 8.63e9],
    ['palm-62b', 62.5e9],
    ['palm-540b', 540.35e9],
  ])('%s: %d within 0.5 %%', (name, published) => expect(Math.abs(total(name) / published - 1)).toBeLessThan(0.005));
});

describe('model FLOPs', () => {
  test('stand by the 6·N + 12·L·H·Q·T rule, exactly but for norms where the head is tied', () => {
    for (const name of ['palm-8b', 'palm-540b'])
      expect(modelFlops(findModel(name), 4) / formulaFlops(findModel(name), 4).flops).toBeCloseTo(1, 4);
  });

  test('are less than it by the embedding where the head has its own kernel', () => {
    const model = findModel('llama-2-7b') as DecoderConfig;
    const { flops, parameters } = formulaFlops(model, 1);
    const embedding = model.vocabulary * model.width;
    expect(parameters).toBe(total('llama-2-7b'));
    const expected = flops - 6 * embedding * tokensPerExample(model);
    expect(modelFlops(model, 1) / expected).toBeCloseTo(1, 4);
  });
});

test('a decoder layer, printed', () => {
  const program = forward(DECODER_VARIANTS['as PaLM: parallel layers, one key and value head']!, {
    mesh: createMesh({ data: 2, model: 2 }),
    batch: 4,
    lossDivisor: 32,
    parameterType: 'f32',
    computeType: 'bf16',
    activations: 'sequence',
    output: 'loss',
  });
  expect(print(program)).toMatchSnapshot();
});

describe('a plan that does not divide is refused with what would', () => {
  const check = (change: Partial<DecoderConfig>, model: number, activations: ActivationLayout = 'width', batch = 8) => {
    const config = { ...SMALL_DECODER, keyValueHeads: 8, ...change };
    return () => checkModelPlan(config, createMesh({ data: 2, model }), batch, activations);
  };

  test.each([
    ['heads', { heads: 12, keyValueHeads: 12 }, 8, /12 heads, got 8; use 1, 2, 3, 4, 6, 12/],
    ['key-value heads', { keyValueHeads: 2 }, 4, /2 key-value heads, got 4; use 1, 2/],
    ['the MLP', { mlpWidth: 20 }, 8, /20 MLP width, got 8/],
    [
      'the vocabulary',
      { vocabulary: 27 },
      4,
      /27 entries of the vocabulary, got 4; use 1, 3, 9, 27; or pad it: vocabulary=28/,
    ],
    ['the width', { width: 12 }, 8, /12 width, got 8/],
  ] as const)('%s', (_, change, model, says) => {
    expect(check(change, model)).toThrow(/PLAN_DOES_NOT_DIVIDE at plan\.mesh\.model/);
    expect(check(change, model)).toThrow(says);
  });

  test('sequences', () => expect(check({}, 2, 'width', 7)).toThrow(/plan\.mesh\.data: .* 7 sequences a microbatch/));

  test('tokens, where the stream is sharded over them alone', () => {
    const says = /6 tokens a sequence, got 4; use 1, 2, 3, 6/;
    expect(check({ sequence: 6 }, 4, 'sequence')).toThrow(says);
    expect(check({ sequence: 6 }, 4, 'width')).not.toThrow();
  });

  test('halves of a sequence, of which each chip of the axis `sequence` has a chunk', () => {
    const dealt = (sequence: number, activations: ActivationLayout = 'width', model = 1) => {
      const config = { ...SMALL_DECODER, keyValueHeads: 4, sequence };
      return () => checkModelPlan(config, createMesh({ sequence: 4, model }), 1, activations);
    };
    expect(dealt(24)).not.toThrow();
    expect(dealt(8)).not.toThrow();
    expect(dealt(12)).toThrow(/plan\.mesh\.sequence: .* 6 tokens of half a sequence, got 4; use 1, 2, 3, 6/);
    expect(dealt(9)).toThrow(
      /PLAN_DOES_NOT_DIVIDE at plan\.mesh\.sequence: .* 9 tokens a sequence, which have no halves/,
    );
    // What is left to a chip is sharded on.
    expect(dealt(8, 'sequence', 4)).toThrow(/plan\.mesh\.model: .* 2 tokens a sequence, got 4/);
  });

  test('no images over the axis `sequence`', () =>
    expect(() => checkModelPlan(SMALL_VIT, createMesh({ sequence: 2 }), 2, 'width')).toThrow(
      /PLAN_INVALID at plan\.mesh\.sequence: expected 1 with .*: each chip cuts whole images into patches, got 2/,
    ));

  test('the width, where the stream is sharded over it alone', () =>
    expect(check({ width: 12 }, 8, 'replicated')).not.toThrow());

  test('but a single key and value head, which every chip has', () =>
    expect(check({ keyValueHeads: 1 }, 4)).not.toThrow());
});

describe('a job', () => {
  const always = () => true;

  test('may have a decoder, with changes', () => {
    const { model } = resolveTask({ model: { preset: 'llama-tiny', depth: 2, keyValueHeads: 4 }, hardware: 'local' });
    expect(model).toMatchObject({ family: 'decoder', name: 'llama-tiny*', depth: 2, keyValueHeads: 4, width: 128 });
  });

  test.each([
    [{ preset: 'llama-tiny', patch: 8 }, /FIELD_UNKNOWN at model\.patch: expected a setting of a decoder/],
    [
      { preset: 'vit-tiny', vocabulary: 8 },
      /FIELD_UNKNOWN at model\.vocabulary: expected a setting of a vision transf/,
    ],
    [{ preset: 'llama-tiny', keyValueHeads: 3 }, /JOB_INVALID at model\.keyValueHeads: expected a divisor of the 4/],
    [{ preset: 'llama-tiny', headWidth: 5 }, /JOB_INVALID at model\.headWidth: expected an even width/],
  ])('that changes %j is refused', (model, says) => {
    expect(() => resolveTask({ model, hardware: 'local' })).toThrow(says);
  });

  test('takes the mean loss over the tokens of all microbatches', () => {
    const job = resolveJob(
      { model: 'gpt-tiny', hardware: 'local', batch: 8, plan: { mesh: { data: 2 }, microbatches: 2 } },
      always,
    );
    const divisors: number[] = [];
    forEachOp(lowerJob(job).ops, (op) => {
      if (op.name === 'token_cross_entropy') divisors.push(attributesOf(op, op.name).divisor);
    });
    expect(new Set(divisors)).toEqual(new Set([8 * 64]));
  });
});
