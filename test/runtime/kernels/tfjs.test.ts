import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import type { Attributes, ComputeName } from '../../../src/program/ops/index.js';
import type { FamilyName, HostTensor, KernelSpec } from '../../../src/runtime/kernels/index.js';
import { createKernelFamily } from '../../../src/runtime/kernels/index.js';
import { createReferenceFamily } from '../../../src/runtime/kernels/reference/index.js';
import { numbersOf } from '../../../src/runtime/kernels/tensors.js';
import { TFJS } from '../../../src/runtime/kernels/tfjs/index.js';
import { describeConformance, OP_NAMES } from './conformance.js';
import { compute, filled, KernelBuilder, normals, relativeError, uniforms } from './helpers.js';

it('the tfjs families have a kernel for each op', () => {
  expect(Object.keys(TFJS).sort()).toEqual([...OP_NAMES].sort());
});

const reference = createReferenceFamily();
afterAll(() => reference.dispose());

/** One op over random operands, in float32 against float64. */
async function relativeErrorOf<N extends ComputeName>(
  family: Awaited<ReturnType<typeof createKernelFamily>>,
  name: N,
  attributes: Attributes[N],
  shapes: readonly (readonly number[])[],
): Promise<number> {
  // Positive, so that they are second moments too, and no sum of them cancels.
  const operands = shapes.map((shape, index) => filled(shape, uniforms(index + 1)));
  const results = async (dtype: 'f32' | 'f64', given: readonly HostTensor[]): Promise<HostTensor[]> => {
    const builder = new KernelBuilder(dtype);
    const spec = builder.spec(
      builder.all(
        name,
        shapes.map((shape) => builder.operand(shape)),
        attributes,
      ),
    );
    return compute(dtype === 'f64' ? reference : family, spec, given);
  };
  const expected = await results('f64', operands);
  const got = await results(
    'f32',
    operands.map((operand) => Float32Array.from(operand)),
  );
  return Math.max(...got.map((result, index) => relativeError(numbersOf(result), numbersOf(expected[index]!))));
}

/** Attention with a causal mask, a norm whose statistics two ops share, and results that other ops read. */
function attention(builder: KernelBuilder): KernelSpec {
  const [q, k] = [builder.operand([1, 2, 6, 4]), builder.operand([1, 2, 6, 4])];
  const gain = builder.operand([4]);
  const moments = builder.emit('moments', [q], { centered: true, width: 4 });
  const norm = { centered: true, epsilon: 1e-6 };
  const normal = builder.emit('normalize', [q, moments, gain], norm);
  const scores = builder.emit('matmul', [normal, k], { transposeA: false, transposeB: true, scale: 0.5 });
  const weights = builder.emit('softmax', [scores], { causal: true });
  const mixed = builder.emit('matmul', [weights, k], { transposeA: false, transposeB: false, scale: 1 });
  const back = builder.emit('normalize_backward_moments', [mixed, q, moments, gain], norm);
  return builder.spec([weights, mixed, back, builder.emit('rotary', [mixed], { base: 100, inverse: false })]);
}

for (const name of ['tfjs-wasm', 'tfjs-node'] as const satisfies readonly FamilyName[]) {
  const isHere = await describeConformance(name);
  describe.skipIf(!isHere)(`${name}`, async () => {
    const family = isHere ? await createKernelFamily(name) : createReferenceFamily();
    afterAll(() => family.dispose());

    it('keeps no tensor but those that a kernel is made of', async () => {
      const own = await createKernelFamily(name);
      const before = tf.memory();
      const kernel = await own.compile(attention(new KernelBuilder('f32')));
      const operands = [[1, 2, 6, 4], [1, 2, 6, 4], [4]].map((shape, index) =>
        Float32Array.from(filled(shape, normals(index))),
      );
      await kernel.run(operands);
      const once = tf.memory();
      for (let run = 0; run < 20; run++) await kernel.run(operands);
      expect([tf.memory().numTensors, tf.memory().numBytes]).toEqual([once.numTensors, once.numBytes]);
      await own.dispose();
      expect([tf.memory().numTensors, tf.memory().numBytes]).toEqual([before.numTensors, before.numBytes]);
    });

    it.skipIf(name === 'tfjs-wasm')(
      'keeps results on the device, and nothing else, until they are disposed',
      async () => {
        const kernel = await family.compile(attention(new KernelBuilder('f32')));
        const operands = [[1, 2, 6, 4], [1, 2, 6, 4], [4]].map((shape, index) =>
          Float32Array.from(filled(shape, normals(index))),
        );
        await kernel.run(operands);
        const before = tf.memory().numTensors;
        const first = await kernel.runOnDevice!(operands, [false, false, false]);
        expect(tf.memory().numTensors).toBe(before + first.length);
        // The mixed values have the queries' shape. They end with the kernel that is their last.
        const second = await kernel.runOnDevice!([first[1]!, ...operands.slice(1)], [true, true, true]);
        expect(tf.memory().numTensors).toBe(before + first.length - 1 + second.length);
        [...first, ...second].forEach((tensor) => tensor.dispose());
        expect(tf.memory().numTensors).toBe(before);
      },
    );

    it('keeps none where an op fails', async () => {
      const builder = new KernelBuilder('f32');
      const [table, ids] = [builder.operand([3, 2]), builder.operand([1, 2], 'i32')];
      const doubled = builder.emit('scale', [table], { factor: 1 });
      const kernel = await family.compile(builder.spec([builder.emit('embedding', [doubled, ids], {})]));
      const run = (id: number) => kernel.run([new Float32Array(6), Int32Array.of(0, id)]);
      await run(2);
      const before = tf.memory().numTensors;
      await expect(run(3)).rejects.toMatchObject({ code: 'DEVICE_FAILED' });
      const { runOnDevice } = kernel;
      const onDevice = runOnDevice?.([new Float32Array(6), Int32Array.of(0, 3)], [true, true]);
      if (onDevice !== undefined) await expect(onDevice).rejects.toMatchObject({ code: 'DEVICE_FAILED' });
      expect(tf.memory().numTensors).toBe(before);
    });

    it('gives NaN and infinity on through GELU and AdamW', async () => {
      const builder = new KernelBuilder('f32');
      const [x, m, v, rate, step] = [[2], [2], [2], [], []].map((shape) => builder.operand(shape));
      const settings = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01 };
      const updated = builder.all('adamw', [x!, x!, m!, v!, rate!, step!], settings);
      const kernel = await family.compile(builder.spec([builder.emit('gelu', [x!], {}), ...updated]));
      const rest = [Float32Array.of(0, 0), Float32Array.of(0, 0), Float32Array.of(0.1), Float32Array.of(1)];
      const [gelu, , first, second] = await kernel.run([Float32Array.of(NaN, Infinity), ...rest]);
      expect([gelu, first, second].map((result) => [...numbersOf(result!)])).toEqual(
        [0, 1, 2].map(() => [NaN, Infinity]),
      );
    });

    it('multiplies matrices and stacks of any size, transposed or not', async () => {
      const size = fc.integer({ min: 1, max: 70 });
      await fc.assert(
        fc.asyncProperty(
          fc.record({ m: size, n: size, k: size, batch: fc.constantFrom([], [3], [2, 2]) }),
          fc.boolean(),
          fc.boolean(),
          fc.constantFrom(1, -0.5),
          async ({ m, n, k, batch }, transposeA, transposeB, scale) => {
            // Of matrices alone, a left operand is transposed for the gradient of a weight.
            const isGradient = batch.length === 0 && transposeA;
            const isTurned = transposeB && !isGradient;
            const shapes = [transposeA ? [k, m] : [m, k], isTurned ? [n, k] : [k, n]];
            const error = isGradient
              ? await relativeErrorOf(family, 'matmul_weight_gradient', {}, shapes)
              : await relativeErrorOf(
                  family,
                  'matmul',
                  { transposeA, transposeB, scale },
                  shapes.map((shape) => [...batch, ...shape]),
                );
            expect(error).toBeLessThan(1e-5);
          },
        ),
        { numRuns: 60, seed: 20261121 },
      );
    });

    it('multiplies by one tensor in several shapes', async () => {
      const results = async (dtype: 'f32' | 'f64'): Promise<HostTensor[]> => {
        const builder = new KernelBuilder(dtype);
        const shapes = [
          [3, 16],
          [1, 16],
          [1, 5],
        ];
        const [a, b, c] = shapes.map((shape) => builder.operand(shape)) as [number, number, number];
        const column = builder.emit('matmul', [a, b], { transposeA: false, transposeB: true, scale: 1 });
        const row = builder.emit('matmul_weight_gradient', [c, b], {});
        const given = shapes.map((shape, index) => filled(shape, normals(index)));
        return dtype === 'f64'
          ? compute(reference, builder.spec([column, row]), given)
          : compute(
              family,
              builder.spec([column, row]),
              given.map((array) => Float32Array.from(array)),
            );
      };
      const expected = await results('f64');
      (await results('f32')).forEach((result, index) =>
        expect(relativeError(numbersOf(result), numbersOf(expected[index]!))).toBeLessThan(1e-5),
      );
    });

    it('deals out columns and sums up rows of matrices of any size', async () => {
      const size = fc.integer({ min: 1, max: 70 });
      await fc.assert(
        fc.asyncProperty(size, size, size, async (rows, first, second) => {
          const sizes = [first, second];
          expect(await relativeErrorOf(family, 'split', { sizes }, [[rows, first + second]])).toBe(0);
          expect(await relativeErrorOf(family, 'sum', { dimensions: [0] }, [[rows, first]])).toBeLessThan(1e-5);
          // Products of dy, x and the row's 1/√(its mean square + ε): all rows are summed up.
          const norm = { centered: false, epsilon: 1 };
          const shapes = [
            [rows, first],
            [rows, first],
            [rows, 1],
          ];
          expect(await relativeErrorOf(family, 'normalize_backward_gain', norm, shapes)).toBeLessThan(1e-5);
        }),
        { numRuns: 30, seed: 20261121 },
      );
    });

    it('has GELU to what float32 has next to 1, there and back', async () => {
      const x = Float32Array.from({ length: 2401 }, (_, index) => (index - 1200) / 100);
      const ones = new Float32Array(x.length).fill(1);
      for (const op of ['gelu', 'gelu_backward'] as const) {
        const results = async (dtype: 'f32' | 'f64'): Promise<HostTensor> => {
          const builder = new KernelBuilder(dtype);
          const operands = op === 'gelu' ? [x] : [x, ones];
          const spec = builder.spec([
            builder.emit(
              op,
              operands.map(() => builder.operand([x.length])),
              {},
            ),
          ]);
          const given = dtype === 'f64' ? operands.map((array) => Float64Array.from(array)) : operands;
          return (await compute(dtype === 'f64' ? reference : family, spec, given))[0]!;
        };
        const [got, expected] = [numbersOf(await results('f32')), numbersOf(await results('f64'))];
        const apart = x.map((value, index) => Math.abs(got[index]! - expected[index]!) / Math.max(1, Math.abs(value)));
        expect(Math.max(...apart)).toBeLessThan(6e-7);
      }
    });
  });
}
