import { afterAll, describe, expect, it } from 'vitest';
import type { DType } from '../../../src/program/types.js';
import { createKernelFamily } from '../../../src/runtime/kernels/index.js';
import { dtypeOf, numbersOf, stored } from '../../../src/runtime/kernels/tensors.js';
import { compute, KernelBuilder } from './helpers.js';

const families = await Promise.all([createKernelFamily('onnx'), createKernelFamily('reference')]);
const [onnx, reference] = families;
afterAll(() => Promise.all(families.map((family) => family.dispose())));

describe.each(families.map((family) => ({ name: family.name, family })))('the $name family', ({ family }) => {
  it('converts between the types that it has, rounding once', async () => {
    const builder = new KernelBuilder('f32');
    const x = builder.operand([4]);
    const cast = (from: number, dtype: DType) => builder.emit('cast', [from], { dtype });
    const [bf16, f16, i32] = [cast(x, 'bf16'), cast(x, 'f16'), cast(x, 'i32')];
    const back = [bf16, f16, i32].map((narrow) => cast(narrow, 'f32'));
    const across = [cast(bf16, 'f16'), cast(i32, 'bf16'), cast(f16, 'i32')];
    const asked = [bf16, f16, i32, ...back, ...across];
    const results = await compute(family, builder.spec(asked), [Float32Array.of(2049, -3.3, 1.0009765625, 259)]);
    expect(results.map(dtypeOf)).toEqual(asked.map((id) => builder.type(id).dtype));
    const inBf16 = [2048, -3.296875, 1, 260];
    const inF16 = [2048, -3.30078125, 1.0009765625, 259];
    const whole = [2049, -3, 1, 259];
    expect(results.map((result) => [...numbersOf(result)])).toEqual([
      ...[inBf16, inF16, whole],
      ...[inBf16, inF16, whole],
      ...[inBf16, [2048, -3, 1, 260], [2048, -3, 1, 259]],
    ]);
  });

  it.each(['bf16', 'f16'] as const)('rounds the results in %s that only the kernel itself uses', async (dtype) => {
    const builder = new KernelBuilder(dtype);
    const tripled = builder.emit('scale', [builder.operand([2])], { factor: 3 });
    const spec = builder.spec([builder.emit('cast', [tripled], { dtype: 'f32' })]);
    // Next to 3 the numbers are twice as far apart as next to 1, so that this one's triple lies between two.
    const unit = dtype === 'bf16' ? 2 ** -7 : 2 ** -10;
    const results = await compute(family, spec, [stored(dtype, Float64Array.of(1 + unit, 1))]);
    expect(results).toEqual([Float32Array.of(3 + 4 * unit, 3)]);
  });

  it('reports an infinity that a conversion made in the same kernel', async () => {
    const builder = new KernelBuilder('f32');
    const narrow = builder.emit('cast', [builder.operand([3])], { dtype: 'f16' });
    const wide = builder.emit('cast', [narrow], { dtype: 'f32' });
    const counts = [narrow, wide].map((id) => builder.emit('count_nonfinite', [id], {}));
    const results = await compute(family, builder.spec(counts), [Float32Array.of(1e5, 65504, -7e4)]);
    expect(results).toEqual([Float32Array.of(2), Float32Array.of(2)]);
  });
});

describe('types', () => {
  it('are converted between f64 and f32 by the reference, rounding', async () => {
    const builder = new KernelBuilder('f64');
    const x = builder.operand([2]);
    const narrow = builder.emit('cast', [x], { dtype: 'f32' });
    const wide = builder.emit('cast', [narrow], { dtype: 'f64' });
    const results = await compute(reference, builder.spec([narrow, wide]), [Float64Array.of(0.1, 1 / 3)]);
    expect(results).toEqual([Float32Array.of(0.1, 1 / 3), Float64Array.of(Math.fround(0.1), Math.fround(1 / 3))]);
  });

  it('that are lacking are refused, saying which family has them', async () => {
    const builder = new KernelBuilder('f64');
    const spec = builder.spec([builder.emit('scale', [builder.operand([2])], { factor: 2 })]);
    await expect(onnx.compile(spec)).rejects.toThrow('reference computes in it');
  });
});
