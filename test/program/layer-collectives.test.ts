/** What a layer gathers, keeps and makes again: gathers that start together, products kept by name, one gather for many. */
import { describe, expect, it } from 'vitest';
import { Assessor } from '../../src/cli/assess.js';
import type { ModelInput } from '../../src/job/index.js';
import { lowerJob, parsePlanInput } from '../../src/job/index.js';
import type { Op, Program } from '../../src/program/index.js';
import { forEachOp, isCollective } from '../../src/program/index.js';
import { numbersOf } from '../../src/runtime/kernels/tensors.js';
import type { PlanCase } from '../agreement/case.js';
import { OPTIMIZERS, interpretStep } from '../agreement/case.js';
import { DECODER_VARIANTS } from '../helpers/models.js';

const assessor = new Assessor();
const jobOf = (plan: string, chips: number, model: Partial<ModelInput> = {}, batch = 64) =>
  assessor.resolve({
    model: { preset: 'maxtext-22b', name: 'short', depth: 6, ...model },
    hardware: 'tpu-v5e',
    chips,
    batch,
    plan: parsePlanInput(`microbatches=1 ${plan}`, 'plan'),
  });
const programOf = (...of: Parameters<typeof jobOf>): Program => lowerJob(jobOf(...of), { fusedAttention: true });
const simulate = (...of: Parameters<typeof jobOf>) => assessor.assess(jobOf(...of)).simulation;

const flat = (ops: readonly Op[]): Op[] => ops.flatMap((op) => (op.name === 'kernel' ? flat(op.region!.ops) : [op]));
const layers = ({ ops }: Program, phase: 'forward' | 'backward'): Op[] =>
  flat(ops.find((op) => op.name === 'repeat' && op.phase === phase)!.region!.ops);

/** Gathers of parameters apart: those of activations over `model`. */
const gathersOverModel = (ops: readonly Op[]): Op[] =>
  ops.filter((op) => op.name === 'all_gather' && (op.attributes as { axis: string }).axis === 'model');

describe('prefetch=layer', () => {
  const plan = 'data=16 shard=parameters bucket=1B rematerialize=full';

  it.each(['forward', 'backward'] as const)(
    'starts all gathers of a layer before all else in its %s pass, in the order of their use',
    (phase) => {
      const ops = layers(programOf(`${plan} prefetch=layer`, 16), phase);
      const gathers = ops.filter(({ name }) => name === 'all_gather');
      const first = ops.findIndex(({ name }) => name !== 'all_gather' && name !== 'cast');
      expect(gathers.length).toBeGreaterThan(2);
      expect(gathers.every((op) => op.asynchronous === true && ops.indexOf(op) < first)).toBe(true);
      const uses = gathers.map(({ results: [id] }) => ops.findIndex(({ operands }) => operands.includes(id!)));
      expect(uses).toEqual(uses.toSorted((a, b) => a - b));
    },
  );

  it('hides more than gathers that wait, less than gathers a layer ahead', () => {
    const [waits, together, ahead] = ['0', 'layer', '1'].map(
      (prefetch) => simulate(`${plan} prefetch=${prefetch}`, 16).stepTimeSeconds,
    );
    expect(together!).toBeLessThan(waits!);
    expect(together!).toBeGreaterThan(ahead!);
  });
});

describe('keep-products', () => {
  const full = 'data=16 shard=parameters rematerialize=full';
  const matmulsAgain = (plan: string): string[] =>
    layers(programOf(plan, 16), 'backward').flatMap(({ name, id }) =>
      name === 'matmul' && /matmul#.*again/.test(id) ? [id.replace(/#.*/, '')] : [],
    );

  it('leaves out of the backward pass exactly the matmuls that it names', () => {
    const again = matmulsAgain(full);
    expect(again).toContain('decoder/mlp/in/matmul');
    expect(matmulsAgain(`${full} keep-products=*/mlp/in/kernel`)).toEqual(
      again.filter((id) => id !== 'decoder/mlp/in/matmul'),
    );
  });

  it('trades their FLOPs for their bytes, as many a layer', () => {
    // Inputs of layers outweigh gradients of theirs, so that memory peaks as the backward pass begins, with the option or not.
    const batch = 256;
    const of = (option: string, depth: number) => simulate(full + option, 16, { depth }, batch);
    const option = ' keep-products=*/mlp/in/kernel';
    const { width, mlpWidth, sequence } = jobOf(full, 16).model as unknown as Record<string, number>;
    const hidden = (batch / 16) * sequence! * mlpWidth!;
    const saved = of('', 12).executedFlopsPerChip - of(option, 12).executedFlopsPerChip;
    expect(saved / (12 * 2 * hidden * width!)).toBeCloseTo(1, 9);
    const slope = (plan: string): number =>
      (of(plan, 96).peakMemoryBytesPerChip - of(plan, 48).peakMemoryBytesPerChip) / 48;
    // Of attention's besides: both have so much that it is activations, not gradients, of which there is most.
    const more = slope(`${option},*/attention/in/kernel`) - slope(option);
    expect(more / (2 * (batch / 16) * sequence! * 3 * width!)).toBeCloseTo(1, 9);
  });

  it('keeps the sum of a product that is pending, so that no collective is run again for it', () => {
    const collectives = (plan: string): number =>
      layers(programOf(plan, 16, { parallelLayers: false }), 'backward').filter(({ name }) => isCollective(name))
        .length;
    const plan = 'data=2,model=8 rematerialize=full';
    expect(collectives(`${plan} keep-products=*/attention/out/kernel`)).toBe(collectives(plan) - 1);
  });
});

it('what two projections need whole is gathered once in the forward pass, and so is what both sums go back to', () => {
  const program = programOf('data=2,model=8 rematerialize=full', 16);
  let total = 0;
  forEachOp(program.ops, ({ name }) => void (total += name === 'reduce_scatter' ? 1 : 0));
  expect(total).toBeGreaterThan(0);
  expect(gathersOverModel(layers(program, 'forward'))).toHaveLength(1);
  // The normed input again, and the cotangent of the sum of attention and MLP.
  expect(gathersOverModel(layers(program, 'backward'))).toHaveLength(2);
});

it.each(Object.entries(DECODER_VARIANTS).filter(([name]) => /MaxText|Llama/.test(name)))(
  'with all of it a step gives the numbers that it gives without: %s',
  (_, model) => {
    const numbers = (options: Partial<PlanCase>) =>
      interpretStep({
        model,
        plan: { mesh: { data: 2, model: 2 }, microbatches: 1, rematerialize: 'full', ...options },
        batch: 8,
        optimizer: OPTIMIZERS.sgd,
        parameterType: 'f32',
        computeType: 'f32',
      });
    const expected = numbers({});
    const got = numbers({
      fusedAttention: true,
      keepProducts: ['decoder/attention/out/kernel', 'decoder/mlp/in/kernel'],
      shard: { stage: 'parameters', axes: ['data'], minimumElements: 0, prefetch: 'layer' },
      bucketBytes: 1,
    });
    expect([...got.keys()].sort()).toEqual([...expected.keys()].sort());
    for (const [name, tensor] of got) {
      const wanted = numbersOf(expected.get(name)!);
      numbersOf(tensor).forEach((value, index) => expect(value, name).toBeCloseTo(wanted[index]!, 5));
    }
  },
);
