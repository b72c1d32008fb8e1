/** A run's state as whole tensors: the same ones under any plan, which the ranks' parts are cut from and make up again. */
import { describe, expect, it } from 'vitest';
import { rankCount } from '../../src/mesh/index.js';
import type { HostTensor } from '../../src/runtime/index.js';
import { elementCount } from '../../src/program/index.js';
import { createRandom } from '../../src/random.js';
import type { StateTensor } from '../../src/train/checkpoint/index.js';
import { gather, jobState, spread } from '../../src/train/checkpoint/index.js';
import { OPTIMIZERS } from '../agreement/case.js';
import { agreementJob } from '../agreement/run.js';
import { MODELS } from './checkpoint-support.js';
import type { ModelName } from './checkpoint-support.js';

const PLANS: Readonly<Record<ModelName, readonly string[]>> = {
  vit: [
    'data=4 microbatches=1 shard=parameters',
    'model=4 microbatches=2 activations=sequence linears=ring',
    'replica=2,data=2,model=2 microbatches=1 shard=optimizer',
    'data=2 microbatches=1 rematerialize=full rematerialize-layers=0-1 shard=gradients',
    'pipe=3 microbatches=4 schedule=1f1b',
    'pipe=2,data=2,model=2 microbatches=2 schedule=gpipe shard=parameters',
  ],
  gpt: [
    'data=2,sequence=2 microbatches=1 shard=parameters',
    'sequence=4 microbatches=2',
    'model=2,data=2 microbatches=1 shard=parameters prefetch=0',
    'pipe=2 microbatches=4 schedule=interleaved-1f1b virtual-stages=2',
    'pipe=2,sequence=2,model=2 microbatches=2 schedule=zb-v shard=none',
    'pipe=4,data=2 microbatches=4 schedule=1f1b shard=parameters',
  ],
};

const stateOf = (model: ModelName, plan: string): StateTensor[] =>
  jobState(
    agreementJob(
      { model: MODELS[model], plan, batch: 16, family: 'onnx', steps: 1, learningRate: 0.1 },
      OPTIMIZERS.adamw,
    ),
  );

const namesOf = (state: readonly StateTensor[]) =>
  Object.fromEntries(state.map(({ name, shape, dtype }) => [name, { shape, dtype }]));

/** Ranks that only hold what they are given. */
function memory() {
  const held = new Map<string, HostTensor>();
  const at = (rank: number, key: string, element: number | undefined) => `${rank} ${key} ${element}`;
  return {
    held,
    writeElement(ranks: readonly number[], key: string, element: number | undefined, values: readonly HostTensor[]) {
      ranks.forEach((rank, index) => held.set(at(rank, key, element), values[index]!));
      return Promise.resolve();
    },
    readElement: (ranks: readonly number[], key: string, element: number | undefined) =>
      Promise.resolve(ranks.map((rank) => held.get(at(rank, key, element))!)),
  };
}

describe.each(Object.entries(PLANS) as [ModelName, readonly string[]][])('the state of %s', (model, plans) => {
  const whole = stateOf(model, 'data=1 microbatches=1');

  it('has a tensor for each parameter, one a layer, and two of AdamW', () => {
    const names = whole.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    const parameters = names.filter((name) => !/^(optimizer|counter)\//.test(name));
    const moments = ['first-moment', 'second-moment'].flatMap((slot) =>
      parameters.map((name) => `optimizer/${slot}/${name}`),
    );
    expect(new Set(names)).toEqual(new Set([...parameters, ...moments]));
    const layers = MODELS[model].depth;
    const ofLayer = (layer: number) => parameters.filter((name) => name.split('/')[1] === String(layer)).length;
    expect(ofLayer(0)).toBeGreaterThan(3);
    expect(Array.from({ length: layers + 1 }, (_, layer) => ofLayer(layer))).toEqual([
      ...new Array<number>(layers).fill(ofLayer(0)),
      0,
    ]);
  });

  it.each(plans)('is of the same tensors under %s, whose parts make up the whole again', async (plan) => {
    const state = stateOf(model, plan);
    expect(namesOf(state)).toEqual(namesOf(whole));
    const random = createRandom(1);
    const pool = memory();
    const values = new Map<string, Float32Array>();
    for (const tensor of state) {
      const numbers = Float32Array.from({ length: elementCount(tensor.shape) }, () => random.normal());
      values.set(tensor.name, numbers);
      await spread(pool, tensor, numbers);
    }
    for (const tensor of state) {
      expect(await gather(pool, tensor), tensor.name).toEqual(values.get(tensor.name));
      // Every rank of a place has something, all of them together at least the whole.
      for (const { mesh, firstRank, key, element } of tensor.places) {
        const ranks = Array.from({ length: rankCount(mesh) }, (_, rank) => firstRank + rank);
        const parts = await pool.readElement(ranks, key, element);
        const held = parts.reduce((total, part) => total + part.length, 0);
        expect(held).toBeGreaterThanOrEqual(elementCount(tensor.shape));
      }
    }
  });
});
