import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { SMALL_VIT } from '../helpers/models.js';
import { KernelBuilder } from './kernels/helpers.js';
import type { VitConfig } from '../../src/models/index.js';
import type { DType } from '../../src/program/index.js';
import { DEFAULT_ADAMW, DTYPES, IN_PLACE } from '../../src/program/index.js';
import { runInChild } from '../../src/runtime/index.js';
import { createKernelFamily } from '../../src/runtime/kernels/index.js';
import { stored } from '../../src/runtime/kernels/tensors.js';
import type { HostTensor } from '../../src/runtime/kernels/tensors.js';
import { Memory } from '../../src/runtime/memory.js';
import { counting } from './support.js';

describe('memory', () => {
  it('keeps tensors apart, however they come and go, and is one piece again when all are gone', () => {
    const steps = fc.array(
      fc.record({ dtype: fc.constantFrom(...DTYPES), length: fc.integer({ min: 1, max: 100 }), ends: fc.nat(9) }),
      { minLength: 1, maxLength: 60 },
    );
    fc.assert(
      fc.property(steps, (list) => {
        const memory = new Memory();
        const first = memory.allocate('f64', 1);
        const held: { tensor: HostTensor; copy: HostTensor }[] = [];
        list.forEach(({ dtype, length, ends }, index) => {
          const tensor = memory.allocate(dtype, length);
          tensor.set(counting(length, index, dtype));
          held.push({ tensor, copy: tensor.slice() });
          if (ends < held.length) memory.free(held.splice(ends, 1)[0]!.tensor);
          for (const other of held) expect(other.tensor).toEqual(other.copy);
        });
        held.forEach(({ tensor }) => memory.free(tensor));
        memory.free(first);
        // All that was taken before fits into where the first tensor was.
        expect(memory.allocate('f64', 10_000)).toMatchObject({ buffer: first.buffer, byteOffset: first.byteOffset });
      }),
      { numRuns: 30 },
    );
  });

  it('of an array that came from elsewhere is given back at once', () => {
    const array = new Float32Array(8);
    new Memory().free(array);
    expect(array.length).toBe(0);
  });
});

describe.each(['onnx', 'reference'] as const)('the %s family', (name) => {
  const family = createKernelFamily(name);
  afterAll(async () => (await family).dispose());

  it.each(['f32', 'bf16', 'f16'] as DType[])(
    'updates parameters of %s where they lie, to the same bits',
    async (dtype) => {
      const builder = new KernelBuilder(dtype);
      const tensor = () => builder.operand([5, 7]);
      const adamw = [tensor(), tensor(), tensor(), tensor()];
      const sgd = [tensor(), tensor(), tensor()];
      const [rate, step] = [builder.operand([]), builder.operand([])];
      const { beta1, beta2, epsilon, weightDecay } = DEFAULT_ADAMW;
      const results = [
        ...builder.all('adamw', [...adamw, rate, step], { beta1, beta2, epsilon, weightDecay }),
        ...builder.all('sgd', [...sgd, rate], { momentum: 0.9, weightDecay }),
      ];
      const kernel = await (await family).compile(builder.spec(results));
      const operands = [...adamw, ...sgd].map((_, index) => counting(35, index, dtype, (value) => value ** 2 / 1e6));
      operands.push(stored(dtype, Float32Array.of(0.25)), stored(dtype, Float32Array.of(2)));
      const apart = await kernel.run(operands);
      const taken = [
        ...IN_PLACE.adamw!.map(([, operand]) => operands[operand]!),
        ...IN_PLACE.sgd!.map(([, operand]) => operands[4 + operand]!),
      ];
      expect(await kernel.run(operands, taken)).toEqual(apart);
      expect(taken).toEqual(apart);
    },
  );
});

interface Measured {
  readonly livenessBytes: number;
  readonly stateBytes: number;
  /** Resident: with the program loaded, with its state, before the steps at most, and after each step at most. */
  readonly loadedBytes: number;
  readonly initializedBytes: number;
  readonly peakBeforeBytes: number;
  readonly peakBytesByStep: readonly number[];
}

const MODEL: VitConfig = {
  ...SMALL_VIT,
  width: 384,
  depth: 12,
  mlpWidth: 1536,
  heads: 6,
  patch: 16,
  imageSize: 160,
  classes: 100,
};

const workerUrl = new URL('../../dist/src/cli/rank-worker.js', import.meta.url).href;

// What it takes to give memory back at once is glibc's.
describe.runIf(process.platform === 'linux')('the memory of a training step', { timeout: 300_000 }, () => {
  const found = new Map<string, Measured>();
  const measure = async (batch: number, plan: string): Promise<Measured> => {
    const key = `${batch} ${plan}`;
    const known = found.get(key);
    if (known !== undefined) return known;
    const measured = (await runInChild(new URL('memory-fixture.mjs', import.meta.url), {
      kind: 'measure',
      args: { model: MODEL, batch, plan, workerUrl },
    })) as Measured;
    found.set(key, measured);
    return measured;
  };
  /** Above the loaded program, over all ranks. */
  const above = ({ peakBytesByStep, loadedBytes }: Measured): number => peakBytesByStep.at(-1)! - loadedBytes;

  it.each([
    // The larger the batch, the more of the peak is temporaries of the one kernel that recomputes and goes back.
    ['recomputing', 8, 'data=1 microbatches=1', 'data=1 microbatches=1 rematerialize=full'],
    ['sharding optimizer state', 4, 'data=2 microbatches=1', 'data=2 microbatches=1 shard=optimizer'],
    ['sharding parameters', 4, 'data=2 microbatches=1', 'data=2 microbatches=1 shard=parameters'],
  ])(
    'is what liveness says within 15 percent, and %s at batch %i saves as much as it says',
    async (_how, batch, plain, saving) => {
      const [kept, saved] = [await measure(batch, plain), await measure(batch, saving)];
      for (const measured of [kept, saved]) {
        expect(measured.livenessBytes).toBeGreaterThan(200e6);
        expect(measured.peakBytesByStep[0]).toBeGreaterThan(measured.peakBeforeBytes);
        expect(above(measured) / measured.livenessBytes).toBeGreaterThan(0.85);
        expect(above(measured) / measured.livenessBytes).toBeLessThan(1.15);
        // The state is there before the first step.
        expect((measured.initializedBytes - measured.loadedBytes) / measured.stateBytes).toBeGreaterThan(0.95);
      }
      const difference = (above(kept) - above(saved)) / (kept.livenessBytes - saved.livenessBytes);
      expect(difference).toBeGreaterThan(0.75);
      expect(difference).toBeLessThan(1.25);
    },
  );
});
