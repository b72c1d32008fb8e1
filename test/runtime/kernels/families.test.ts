import { InferenceSession } from 'onnxruntime-node';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { cachingFamily } from '../../../src/runtime/kernels/caching.js';
import type { KernelSpec } from '../../../src/runtime/kernels/index.js';
import { createKernelFamily, structureKey } from '../../../src/runtime/kernels/index.js';
import { numbersOf } from '../../../src/runtime/kernels/tensors.js';
import { compute, KernelBuilder, filled, normals, relativeError } from './helpers.js';

const [onnx, reference, wasm] = await Promise.all([
  createKernelFamily('onnx'),
  createKernelFamily('reference'),
  createKernelFamily('tfjs-wasm'),
]);
// Native TensorFlow may not be there; its conformance suite says so.
const native = await createKernelFamily('tfjs-node').catch(() => undefined);
const families = [onnx, reference, wasm, ...(native === undefined ? [] : [native])];
afterAll(() => Promise.all(families.map((family) => family.dispose())));

const numbers = (shape: readonly number[], seed: number): Float32Array =>
  Float32Array.from(filled(shape, normals(seed)));

/** A pre-normalized MLP: [B,S,D] → [B,S,D]. */
function mlp(builder: KernelBuilder): KernelSpec {
  const x = builder.operand([2, 3, 4]);
  const gain = builder.operand([4]);
  const wide = builder.operand([4, 8]);
  const bias = builder.operand([8]);
  const narrow = builder.operand([8, 4]);
  const moments = builder.emit('moments', [x], { centered: true, width: 4 });
  const normal = builder.emit('normalize', [x, moments, gain], { centered: true, epsilon: 1e-5 });
  const plain = { transposeA: false, transposeB: false, scale: 1 };
  const hidden = builder.emit('matmul', [normal, wide, bias], plain);
  const out = builder.emit('matmul', [builder.emit('gelu', [hidden], {}), narrow], plain);
  return builder.spec([builder.emit('add', [out, x], {}), hidden, moments]);
}

const mlpOperands = [[2, 3, 4], [4], [4, 8], [8], [8, 4]].map((shape, index) => numbers(shape, index));

describe.each(families.map((family) => ({ name: family.name, family })))('the $name family', ({ family }) => {
  it('gives results in the order asked for, also inner ones', async () => {
    const results = await compute(family, mlp(new KernelBuilder('f32')), mlpOperands);
    expect(results.map(({ length }) => length)).toEqual([24, 48, 12]);
  });

  it('gives operands back, and a value twice, as arrays of their own', async () => {
    const builder = new KernelBuilder('f32');
    const x = builder.operand([3]);
    const unused = builder.operand([2]);
    const y = builder.emit('scale', [x], { factor: 2 });
    const same = builder.emit('cast', [x], { dtype: 'f32' });
    const operand = Float32Array.of(1, 2, 3);
    const results = await compute(family, builder.spec([y, x, y, x, unused, same]), [operand, Float32Array.of(8, 9)]);
    const expected = [
      [2, 4, 6],
      [1, 2, 3],
      [2, 4, 6],
      [1, 2, 3],
      [8, 9],
      [1, 2, 3],
    ];
    expect(results.map((result) => [...result])).toEqual(expected);
    expect(new Set([operand, ...results].map(({ buffer }) => buffer)).size).toBe(7);
  });

  it('runs a kernel without operands', async () => {
    const builder = new KernelBuilder('f32');
    const ones = builder.emit('constant', [], { shape: [2, 2], value: 1, dtype: 'f32', states: {} });
    const one = builder.emit('constant', [], { shape: [], value: -Infinity, dtype: 'f32', states: {} });
    const two = builder.emit('scale', [ones], { factor: 2 });
    const results = await compute(family, builder.spec([ones, one, two, ones]), []);
    expect(results.map((result) => [...result])).toEqual([[1, 1, 1, 1], [-Infinity], [2, 2, 2, 2], [1, 1, 1, 1]]);
  });

  it('takes operands that are parts of a larger buffer', async () => {
    const builder = new KernelBuilder('f32');
    const spec = builder.spec([builder.emit('scale', [builder.operand([3])], { factor: 2 })]);
    const results = await compute(family, spec, [Float32Array.of(9, 1, 2, 3, 9).subarray(1, 4)]);
    expect([...results[0]!]).toEqual([2, 4, 6]);
  });

  it('gives results that outlive the next run', async () => {
    const builder = new KernelBuilder('f32');
    const kernel = await family.compile(builder.spec([builder.emit('scale', [builder.operand([2])], { factor: 2 })]));
    const first = await kernel.run([Float32Array.of(1, 2)]);
    const second = await kernel.run([Float32Array.of(3, 4)]);
    expect([...first[0]!, ...second[0]!]).toEqual([2, 4, 6, 8]);
  });

  it('does not let through a NaN that was not selected', async () => {
    for (const [condition, expected] of [
      [0, 1],
      [2, 5],
      [NaN, 5],
    ] as const) {
      const builder = new KernelBuilder('f32');
      const operands = [builder.operand([]), builder.operand([2]), builder.operand([2])];
      const spec = builder.spec([builder.emit('select', operands, {})]);
      const nothing = Float32Array.of(NaN, Infinity);
      const [a, b] = [Float32Array.of(1, 1), Float32Array.of(5, 5)];
      const pair = condition === 0 ? [a, nothing] : [nothing, b];
      const [result] = await compute(family, spec, [Float32Array.of(condition), ...pair]);
      expect([...result!]).toEqual([expected, expected]);
    }
  });

  it('refuses an id that a whole table does not have', async () => {
    const builder = new KernelBuilder('f32');
    const [table, ids] = [builder.operand([3, 2]), builder.operand([1, 2], 'i32')];
    const kernel = await family.compile(builder.spec([builder.emit('embedding', [table, ids], {})]));
    const run = kernel.run([numbers([3, 2], 1), Int32Array.of(0, 3)]);
    await expect(run).rejects.toMatchObject({ code: 'DEVICE_FAILED', detail: { place: 'op/0' } });
  });

  it('refuses operands that are not of their type', async () => {
    const kernel = await family.compile(mlp(new KernelBuilder('f32')));
    await expect(kernel.run([])).rejects.toMatchObject({ code: 'INTERNAL', detail: { place: 'op/0' } });
    const short = [numbers([2, 3], 0), ...mlpOperands.slice(1)];
    await expect(kernel.run(short)).rejects.toMatchObject({
      detail: { expected: '24 elements of f32', got: '6 of f32' },
    });
    const double = [Float64Array.from(mlpOperands[0]!), ...mlpOperands.slice(1)];
    await expect(kernel.run(double)).rejects.toMatchObject({ detail: { got: '24 of f64' } });
  });
});

describe('kernels of several ops', () => {
  it('agree between the families', async () => {
    const expected = await compute(
      reference,
      mlp(new KernelBuilder('f64')),
      mlpOperands.map((operand) => Float64Array.from(operand)),
    );
    for (const family of families) {
      const got = await compute(family, mlp(new KernelBuilder('f32')), mlpOperands);
      got.forEach((result, index) =>
        expect(relativeError(numbersOf(result), numbersOf(expected[index]!)), family.name).toBeLessThan(1e-5),
      );
    }
  });
});

describe('threads', () => {
  it('lose none of the terms that they add to one row', async () => {
    const [tokens, width] = [4000, 64];
    const family = await createKernelFamily('onnx', { threads: 4 });
    const builder = new KernelBuilder('f32');
    const operands = [builder.operand([1, tokens], 'i32'), builder.operand([1, tokens, width])];
    const kernel = await family.compile(builder.spec([builder.emit('embedding_backward', operands, { rows: 2 })]));
    const ids = Int32Array.from({ length: tokens }, (_, token) => token % 2);
    const [gradient] = await kernel.run([ids, new Float32Array(tokens * width).fill(1)]);
    expect(gradient).toEqual(new Float32Array(2 * width).fill(tokens / 2));
    await family.dispose();
  });
});

describe('structure', () => {
  it('does not depend on the numbering of values or on ids', () => {
    const key = structureKey(mlp(new KernelBuilder('f32')));
    expect(structureKey(mlp(new KernelBuilder('f32', 100, 'encoder/mlp')))).toBe(key);
    expect(structureKey(mlp(new KernelBuilder('f64')))).not.toBe(key);
    expect(key).toMatchInlineSnapshot(`
      "operands %0:f32[2,3,4] %1:f32[4] %2:f32[4,8] %3:f32[8] %4:f32[8,4]
      %5:f32[2,3,2] = moments %0 {centered:true,width:4}
      %6:f32[2,3,4] = normalize %0 %5 %1 {centered:true,epsilon:0.00001}
      %7:f32[2,3,8] = matmul %6 %2 %3 {scale:1,transposeA:false,transposeB:false}
      %8:f32[2,3,8] = gelu %7 {}
      %9:f32[2,3,4] = matmul %8 %4 {scale:1,transposeA:false,transposeB:false}
      %10:f32[2,3,4] = add %9 %0 {}
      results %10 %7 %5"
    `);
  });

  it('tells attributes, infinities and the order of results apart', () => {
    const filledWith = (value: number): string => {
      const builder = new KernelBuilder('f32');
      return structureKey(builder.spec([builder.emit('constant', [], { shape: [], value, dtype: 'f32', states: {} })]));
    };
    expect(new Set([1, Infinity, -Infinity, NaN].map(filledWith)).size).toBe(4);
    const spec = mlp(new KernelBuilder('f32'));
    expect(structureKey({ ...spec, results: spec.results.toReversed() })).not.toBe(structureKey(spec));
  });

  it('differs between ranks only where an op computes another part on each', () => {
    const embedding = (coordinate: number, axis?: 'model'): string => {
      const builder = new KernelBuilder('f32', 0, 'op', coordinate);
      const table = builder.operand([3, 2], 'f32', axis === undefined ? {} : { model: 0 });
      const operands = [table, builder.operand([1, 2], 'i32')];
      return structureKey(builder.spec([builder.emit('embedding', operands, axis === undefined ? {} : { axis })]));
    };
    expect(embedding(1)).toBe(embedding(2));
    expect(embedding(1, 'model')).not.toBe(embedding(2, 'model'));
  });

  it('is refused where a value comes from nowhere', () => {
    const spec = mlp(new KernelBuilder('f32'));
    expect(() => structureKey({ ...spec, operands: spec.operands.slice(1) })).toThrow('PROGRAM_INVALID at op/0');
  });

  it('compiles once, however many kernels have it, at once or one after the other', async () => {
    const create = vi.spyOn(InferenceSession, 'create');
    const family = await createKernelFamily('onnx', { threads: 2 });
    const specs = [0, 50, 100].map((firstId) => mlp(new KernelBuilder('f32', firstId)));
    const kernels = await Promise.all(specs.map((spec) => family.compile(spec)));
    await family.compile(mlp(new KernelBuilder('f32', 150)));
    expect(create).toHaveBeenCalledTimes(1);
    const results = await Promise.all(kernels.map((kernel) => kernel.run(mlpOperands)));
    expect(results[1]).toEqual(results[0]);
    await family.dispose();
    create.mockRestore();
  });
});

describe('failures of a tensor library', () => {
  const scaled = (prefix: string): KernelSpec => {
    const builder = new KernelBuilder('f32', 0, prefix);
    return builder.spec([builder.emit('scale', [builder.operand([2])], { factor: 2 })]);
  };

  it('name the kernel that is compiled, and may be tried again', async () => {
    const build = vi.fn(() => Promise.reject(new Error('out of memory')));
    const family = cachingFamily({ name: 'onnx', device: 'none' }, build);
    const failed = { code: 'DEVICE_FAILED', detail: { place: 'a/0', got: 'out of memory' } };
    await expect(family.compile(scaled('a'))).rejects.toMatchObject(failed);
    await expect(family.compile(scaled('b'))).rejects.toMatchObject({ detail: { place: 'b/0' } });
    expect(build).toHaveBeenCalledTimes(2);
  });

  it('name the kernel that ran, not the one that was compiled for it', async () => {
    await onnx.compile(scaled('a'));
    const kernel = await onnx.compile(scaled('b'));
    const shared = new Float32Array(new SharedArrayBuffer(8));
    await expect(kernel.run([shared])).rejects.toMatchObject({ code: 'DEVICE_FAILED', detail: { place: 'b/0' } });
  });

  it('name the kernel whose model is refused', async () => {
    const spec = mlp(new KernelBuilder('f32'));
    const wide = spec.operands[2];
    // A weight that does not fit what it multiplies.
    const wrong: KernelSpec = {
      ...spec,
      type: (id) => (id === wide ? { ...spec.type(id), shape: [5, 8] } : spec.type(id)),
    };
    await expect(onnx.compile(wrong)).rejects.toMatchObject({ code: 'DEVICE_FAILED', detail: { place: 'op/0' } });
  });
});
