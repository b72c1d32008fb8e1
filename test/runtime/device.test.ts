/** A rank whose kernel family keeps results in a form of its own, against one whose does not. */
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { SMALL_VIT } from '../helpers/models.js';
import { createMesh } from '../../src/mesh/index.js';
import { forward } from '../../src/models/index.js';
import { Builder, DEFAULT_ADAMW, elementCount, isState, lowerTrainingStep, stateKey } from '../../src/program/index.js';
import type { Program } from '../../src/program/index.js';
import type { Rank } from '../../src/runtime/index.js';
import type { DeviceTensor, HostTensor, KernelFamily } from '../../src/runtime/kernels/family.js';
import { createReferenceFamily } from '../../src/runtime/kernels/reference/index.js';
import { dtypeOf, isOnDevice } from '../../src/runtime/kernels/tensors.js';
import { seconds } from '../../src/units.js';
import { counting, createSingleRank, parameter, tensorType } from './support.js';

/** Device tensors that there are, and how many were read. */
interface Counts {
  live: number;
  reads: number;
}

/** The reference on tensors that only it can read, not at once, and that are no numbers when they have ended. */
function keepingFamily(): { readonly family: KernelFamily; readonly counts: Counts } {
  const counts: Counts = { live: 0, reads: 0 };
  const arrays = new WeakMap<DeviceTensor, HostTensor>();
  const keep = (array: HostTensor): DeviceTensor => {
    let isOver = false;
    counts.live++;
    const tensor: DeviceTensor = {
      dtype: dtypeOf(array),
      length: array.length,
      read: async (target) => {
        expect(isOver).toBe(false);
        await setImmediate();
        counts.reads++;
        target.set(array);
      },
      dispose: () => {
        if (!isOver) counts.live--;
        isOver = true;
        array.fill(dtypeOf(array) === 'i32' ? -1 : NaN);
      },
    };
    arrays.set(tensor, array);
    return tensor;
  };
  const reference = createReferenceFamily();
  const family: KernelFamily = {
    ...reference,
    compile: async (spec) => {
      const { run } = await reference.compile(spec);
      return {
        run,
        runOnDevice: async (operands, spent) => {
          const given = operands.map((operand) => (isOnDevice(operand) ? arrays.get(operand)! : operand));
          const results = await run(given);
          operands.forEach((operand, index) => spent[index]! && isOnDevice(operand) && operand.dispose());
          return results.map(keep);
        },
      };
    },
  };
  return { family, counts };
}

const mesh = createMesh({});
const program: Program = lowerTrainingStep(
  forward(SMALL_VIT, {
    mesh,
    batch: 2,
    output: 'loss',
    lossDivisor: 4,
    parameterType: 'f32',
    computeType: 'f32',
    activations: 'width',
  }),
  { microbatches: 2, optimizer: DEFAULT_ADAMW },
);
const keys = program.inputs.filter(isState).map(stateKey);

const feeds = (step: number) => ({
  'learning-rate': 0.01,
  step,
  ...Object.fromEntries(
    program.inputs.flatMap((input) => {
      if (input.kind !== 'data' || (input.name !== 'images' && input.name !== 'labels')) return [];
      const length = elementCount(program.values[input.value]!.type.shape);
      return [[input.name, [1, 2].map((part) => counting(length, step + part, 'f32', (x) => x / 1009))]];
    }),
  ),
});

async function started(family: KernelFamily): Promise<Rank> {
  const rank = createSingleRank({ family });
  await rank.load('step', program);
  rank.initialize(5);
  return rank;
}

describe('a rank whose kernels keep their results', () => {
  it('trains to the same bits, and holds nothing but its state after each step', async () => {
    const { family, counts } = keepingFamily();
    const [rank, other] = [await started(family), await started(createReferenceFamily())];
    const held: number[] = [];
    for (let step = 1; step <= 4; step++) {
      const runs = [rank, other].map((one) => one.run('step', feeds(step), ['loss'], seconds(0)));
      const [kept, plain] = await Promise.all(runs);
      expect(kept!.outputs).toEqual(plain!.outputs);
      held.push(counts.live);
      // The loss; blocks of what stays where it is are none of this program's.
      expect(counts.reads).toBe(step);
    }
    const elements = keys.map(
      (key) => program.values[program.inputs.find((i) => isState(i) && stateKey(i) === key)!.value]!,
    );
    const tensors = elements.reduce((sum, { type }) => sum + (type.stack ?? 1), 0);
    expect(held).toEqual([tensors, tensors, tensors, tensors]);
    for (const key of keys) expect(await rank.readState(key), key).toEqual(await other.readState(key));
    expect(counts.live).toBe(tensors);
  });

  it('is written to, and looked into, as one whose do not', async () => {
    const [rank, other] = [await started(keepingFamily().family), await started(createReferenceFamily())];
    const key = keys.find((one) => one.startsWith('parameter:'))!;
    for (const one of [rank, other]) {
      await one.run('step', feeds(1), [], seconds(0));
      const before = await one.readState(key);
      const element = Array.isArray(before) ? 0 : undefined;
      const array = (Array.isArray(before) ? before[0] : before) as HostTensor;
      one.writeState(
        key,
        element,
        counting(array.length, 3, 'f32', (x) => x / 1e3),
      );
      await one.run('step', feeds(2), [], seconds(0));
      expect((await one.run('step', feeds(3), [], seconds(0), 'all')).nonFinite).toBeUndefined();
      await one.run('step', feeds(4), [], seconds(0));
    }
    for (const one of keys) expect(await rank.readState(one), one).toEqual(await other.readState(one));
  });

  it('brings what a block is taken from or put into, and says how long that took', async () => {
    const builder = new Builder(createMesh({ model: 2 }));
    const { value, input } = parameter(builder, 'x', tensorType([4, 2], {}, 'f32'));
    const doubled = builder.emit('scale', [value], { factor: 2 }, { id: 'double', phase: 'forward' });
    const place = { axis: 'model', dimension: 0, offset: 0, stride: 0 } as const;
    const block = builder.emit('take', [doubled], place, { id: 'take', phase: 'forward' });
    const again = builder.emit('scale', [block], { factor: 3 }, { id: 'triple', phase: 'forward' });
    const whole = builder.emit('put', [again, doubled], place, { id: 'put', phase: 'forward' });
    const moved = builder.finish([input], [{ name: 'moved', value: whole }]);
    const { family, counts } = keepingFamily();
    const rank = createSingleRank({ family, mesh: createMesh({ model: 2 }) });
    await rank.load('moved', moved);
    rank.setState('parameter:x', counting(8, 1, 'f32'));
    const { outputs, spans } = await rank.run('moved', {}, ['moved'], seconds(0));
    // The first half is the first rank's block.
    const expected = counting(8, 1, 'f32').map((x, index) => (index < 4 ? 6 : 2) * x);
    expect(outputs.moved).toEqual(expected);
    expect(counts).toEqual({ live: 0, reads: 2 });
    expect(spans.filter(({ kind }) => kind === 'host').map(({ id }) => id)).toEqual(['take/read', 'put/read']);
  });
});
