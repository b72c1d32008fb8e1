/** What plans send, against closed forms; agreement tests hold what is really sent against the program's count. */
import { describe, expect, test } from 'vitest';
import type { LowerOptions, ParameterInput, Program, ShardStage } from '../../src/program/index.js';
import { countCollectiveBytes, elementCount, forEachOp, LINEAR_MODES } from '../../src/program/index.js';
import { globalShape } from '../../src/mesh/index.js';
import type { PlanCase } from '../agreement/case.js';
import { lowerStep, OPTIMIZERS } from '../agreement/case.js';
import { SMALL_DECODER, SMALL_VIT } from '../helpers/models.js';

const BASE = { model: SMALL_VIT, batch: 16, optimizer: OPTIMIZERS.sgd } as const;
const WIDE = { parameterType: 'f32', computeType: 'f32' } as const;

const lower = (plan: PlanCase, types: { parameterType: 'f32'; computeType: 'f32' | 'bf16' } = WIDE): Program =>
  lowerStep({ ...BASE, ...types, plan });

/** Whole tensors' elements over all layers, of parameters that a test picks. */
function elementsOf({ mesh, inputs, values }: Program, pick: (input: ParameterInput) => boolean): number {
  return inputs.reduce((total, input) => {
    if (input.kind !== 'parameter' || !pick(input)) return total;
    const { shape, states, stack = 1 } = values[input.value]!.type;
    return total + stack * elementCount(globalShape(mesh, shape, states));
  }, 0);
}

const isSharded =
  ({ values }: Program) =>
  ({ value }: ParameterInput): boolean =>
    Object.keys(values[value]!.type.states).includes('data');
const inLayers = ({ name }: ParameterInput): boolean => name.startsWith('encoder/');

const shard = (stage: ShardStage): NonNullable<LowerOptions['shard']> => ({
  stage,
  axes: ['data'],
  minimumElements: 0,
  prefetch: 1,
});

/** A ring all-reduce of n bytes over d ranks sends 2(d−1)/d·n a rank, a gather or a scatter half of it. */
const half = (d: number): number => (d - 1) / d;

describe('over the data axis', () => {
  const all = () => true;
  for (const d of [2, 4]) {
    const mesh = { data: d };
    /** The loss, which is all-reduced in any plan. */
    const loss = 2 * half(d) * 4;

    test(`${d} ranks sum whole gradients: an all-reduce of the parameters, however many microbatches`, () => {
      for (const microbatches of [1, 4]) {
        for (const overlapGradients of [false, true]) {
          const program = lower({ mesh, microbatches, overlapGradients });
          const sent = countCollectiveBytes(program).data!;
          expect(sent).toBeCloseTo(2 * half(d) * 4 * elementsOf(program, all) + loss, 6);
        }
      }
    });

    test(`${d} ranks with sharded optimizer state send as much: a reduce-scatter and a gather`, () => {
      const program = lower({ mesh, microbatches: 1, shard: shard('optimizer') });
      expect(countCollectiveBytes(program).data!).toBeCloseTo(2 * half(d) * 4 * elementsOf(program, all) + loss, 6);
    });

    test(`${d} ranks with sharded gradients scatter once a microbatch and gather once a step`, () => {
      const program = lower({ mesh, microbatches: 4, shard: shard('gradients') });
      const sharded = elementsOf(program, isSharded(program));
      const whole = elementsOf(program, all) - sharded;
      const expected = half(d) * 4 * (sharded * (1 + 4) + 2 * whole) + loss;
      expect(countCollectiveBytes(program).data!).toBeCloseTo(expected, 6);
    });

    test(`${d} ranks with sharded parameters gather layers twice a microbatch, in the compute type`, () => {
      const program = lower(
        { mesh, microbatches: 2, shard: shard('parameters') },
        { parameterType: 'f32', computeType: 'bf16' },
      );
      const picked = isSharded(program);
      const layers = elementsOf(program, (input) => picked(input) && inLayers(input));
      const ends = elementsOf(program, (input) => picked(input) && !inLayers(input));
      // Gains are used in f32, in layers and at the ends.
      const gains = (pick: (input: ParameterInput) => boolean) =>
        elementsOf(program, (input) => picked(input) && pick(input) && input.name.endsWith('gain'));
      const gathered = 2 * 2 * (2 * layers + ends) + 2 * 2 * (2 * gains(inLayers) + gains((one) => !inLayers(one)));
      const scattered = 2 * 4 * (layers + ends);
      const whole = elementsOf(program, (input) => !picked(input));
      const expected = half(d) * (gathered + scattered + 2 * 4 * whole) + loss;
      expect(countCollectiveBytes(program).data!).toBeCloseTo(expected, 6);
    });
  }
});

describe('over the replica axis', () => {
  const [r, d] = [2, 4];
  const loss = 2 * half(r) * 4;
  for (const stage of [undefined, 'optimizer', 'gradients', 'parameters'] as const) {
    const sharding = stage === undefined ? {} : { shard: shard(stage) };
    for (const microbatches of [1, 2]) {
      for (const overlapGradients of [false, true]) {
        const plan = { microbatches, overlapGradients, ...sharding };

        test(`copies sum what each chip has of the gradients, once: ${JSON.stringify(plan)}`, () => {
          const program = lower({ mesh: { replica: r, data: d }, ...plan });
          const sharded = elementsOf(program, isSharded(program));
          const whole = elementsOf(program, () => true) - sharded;
          const { replica, data } = countCollectiveBytes(program);
          expect(replica).toBeCloseTo(2 * half(r) * 4 * (whole + sharded / d) + loss, 6);
          // Over `data` a copy sends what it would send alone.
          expect(data).toBe(countCollectiveBytes(lower({ mesh: { data: d }, ...plan })).data);
        });
      }
    }
  }

  test('`shard-axes` can name it: then copies gather and scatter what `data` left whole', () => {
    const options = { ...shard('parameters'), axes: ['replica', 'data'] as const };
    const program = lower({ mesh: { replica: r, data: d }, microbatches: 1, shard: options });
    const states = program.inputs.flatMap(({ kind, value }) =>
      kind === 'parameter' ? [Object.keys(program.values[value]!.type.states)] : [],
    );
    expect(states.some((axes) => axes.includes('replica'))).toBe(true);
    // `data` has the first choice, so that nothing is sharded over `replica` alone that could be over `data`.
    const alone = lower({ mesh: { data: d }, microbatches: 1, shard: shard('parameters') });
    const count = (one: Program) =>
      one.inputs.filter((input) => input.kind === 'parameter' && isSharded(one)(input)).length;
    expect(count(program)).toBe(count(alone));
  });

  test('where `data` sums whole gradients, it does so before `replica`', () => {
    const program = lower({ mesh: { replica: r, data: d }, microbatches: 1 });
    const order: string[] = [];
    forEachOp(program.ops, (op) => {
      if (op.id.startsWith('encoder/') || !op.id.includes('reduce/')) return;
      order.push((op.attributes as { readonly axis: string }).axis);
    });
    expect(order.length).toBeGreaterThan(2);
    expect(order.every((axis, index) => axis === (index % 2 === 0 ? 'data' : 'replica'))).toBe(true);
  });
});

describe('over the model axis', () => {
  for (const model of [SMALL_VIT, SMALL_DECODER]) {
    for (const activations of ['width', 'sequence'] as const) {
      test(`rings send what the collectives they stand for send: ${model.name}, ${activations}`, () => {
        for (const k of [2, 4]) {
          const sent = LINEAR_MODES.map((linears) => {
            const plan = { mesh: { data: 2, model: k }, microbatches: 1, activations, linears };
            return countCollectiveBytes(lowerStep({ ...BASE, ...WIDE, model, plan })).model!;
          });
          expect(sent[1]).toBeCloseTo(sent[0]!, 6);
          expect(sent[2]).toBeCloseTo(sent[0]!, 6);
        }
      });
    }
  }

  test('in layers of a ring plan no gather or scatter of a linear is left', () => {
    for (const linears of ['ring', 'bidirectional'] as const) {
      const program = lower({ mesh: { model: 4 }, microbatches: 1, linears });
      const left: string[] = [];
      forEachOp(program.ops, (op) => {
        if ((op.name === 'all_gather' || op.name === 'reduce_scatter') && op.id.startsWith('encoder/'))
          left.push(op.id);
      });
      expect(left).toEqual([]);
    }
  });

  test('tokens sharded between linears cost one more gather in the backward pass than whole activations', () => {
    const sent = (['sequence', 'replicated'] as const).map((activations) => {
      const plan = { mesh: { model: 4 }, microbatches: 1, activations };
      return countCollectiveBytes(lower(plan)).model!;
    });
    expect(sent[0]! / sent[1]!).toBeGreaterThan(1);
    expect(sent[0]! / sent[1]!).toBeLessThan(1.6);
  });
});
