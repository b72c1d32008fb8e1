import { describe, expect, test } from 'vitest';
import { countParameters, formulaFlops, modelFlops } from '../../src/job/index.js';
import { createMesh } from '../../src/mesh/index.js';
import { findModel, forward } from '../../src/models/index.js';
import { print } from '../../src/program/index.js';
import { SMALL_VIT, VARIANTS } from '../helpers/models.js';

const within = (value: number, expected: number, share: number) =>
  expect(Math.abs(value / expected - 1)).toBeLessThan(share);

describe('parameters of the published models (Table 1 of Dehghani et al. 2023)', () => {
  test('ViT-G: 1,843 M is the body', () => within(countParameters(findModel('vit-g')).body, 1842e6, 0.005));

  test('ViT-22B: 22,165 M is body and pooling', () => {
    const { body, pooling } = countParameters(findModel('vit-22b'));
    within(body + pooling, 22165e6, 0.005);
  });

  test('ViT-e: 3,926 M is all, with a 29,593-way classifier', () => {
    const { body, pooling, classifier } = countParameters(findModel('vit-e'));
    within(body + pooling + classifier, 3926e6, 0.005);
  });
});

test('model FLOPs stand by the 6·N + 12·L·H·Q·T rule within 3 %', () => {
  for (const name of ['vit-22b', 'vit-e', 'vit-g', 'vit-bench']) {
    within(modelFlops(findModel(name), 64), formulaFlops(findModel(name), 64).flops, 0.03);
  }
});

test('model FLOPs grow by as much with every image', () => {
  const model = findModel('vit-tiny');
  const of = (batch: number): number => modelFlops(model, batch);
  expect(of(9)).toBe(of(1) + 8 * (of(2) - of(1)));
});

describe('every choice of the paper can be switched off', () => {
  const text = (model: typeof SMALL_VIT) =>
    print(
      forward(model, {
        mesh: createMesh({}),
        batch: 2,
        lossDivisor: 2,
        parameterType: 'f32',
        computeType: 'f32',
        activations: 'width',
        output: 'loss',
      }),
    );
  const reference = text(SMALL_VIT);
  for (const [name, model] of Object.entries(VARIANTS)) {
    if (model !== SMALL_VIT) test(name, () => expect(text(model)).not.toBe(reference));
  }

  test('omitted biases leave those of the MLP', () => {
    expect(reference).toContain('encoder/mlp/hidden-bias');
    expect(reference).not.toContain('encoder/attention/query-bias');
    expect(text(VARIANTS['with biases']!)).toContain('encoder/attention/query-bias');
  });
});

describe('a plan that does not divide is refused with what would', () => {
  const lower = (mesh: { data?: number; model?: number }, batch = 16) =>
    forward(SMALL_VIT, {
      mesh: createMesh(mesh),
      batch,
      lossDivisor: batch,
      parameterType: 'f32',
      computeType: 'f32',
      activations: 'width',
      output: 'loss',
    });

  test('heads', () =>
    expect(() => lower({ model: 3 })).toThrow(
      /PLAN_DOES_NOT_DIVIDE at plan\.mesh\.model: expected .* 4 heads, got 3; use 1, 2, 4/,
    ));
  test('images', () => expect(() => lower({ data: 3 })).toThrow(/PLAN_DOES_NOT_DIVIDE at plan\.mesh\.data/));
});

test('an unknown model is met with the nearest name', () => {
  expect(() => findModel('vit-22')).toThrow(/MODEL_UNKNOWN .* did you mean vit-22b\?/);
});
