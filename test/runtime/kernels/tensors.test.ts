import { describe, expect, it } from 'vitest';
import { DTYPE_BYTES, DTYPES } from '../../../src/program/index.js';
import { addTo, allocate, dtypeOf, numbersOf, stored, viewOf } from '../../../src/runtime/kernels/tensors.js';

describe.each(DTYPES)('a tensor of %s', (dtype) => {
  it('takes as many bytes an element as the type says, and knows its type', () => {
    const tensor = allocate(dtype, 3);
    expect(tensor.byteLength).toBe(3 * DTYPE_BYTES[dtype]);
    expect(dtypeOf(tensor)).toBe(dtype);
    expect(dtypeOf(tensor.subarray(1))).toBe(dtype);
  });

  it('holds numbers and gives them back', () => {
    const tensor = stored(dtype, Float64Array.of(1, -2, 384));
    expect(dtypeOf(tensor)).toBe(dtype);
    expect([...numbersOf(tensor)]).toEqual([1, -2, 384]);
  });

  it('is summed up in place', () => {
    const target = stored(dtype, Float64Array.of(1, -2, 384, 5, 6));
    addTo(target, stored(dtype, Float64Array.of(16, 2, -256, 7, 8)));
    expect([...numbersOf(target)]).toEqual([17, 0, 128, 12, 14]);
  });

  it('is seen again in the bytes of a clone', () => {
    const { buffer, byteOffset, length } = structuredClone(stored(dtype, Float64Array.of(1, -2, 384)));
    expect([...numbersOf(viewOf(dtype, buffer, byteOffset, length))]).toEqual([1, -2, 384]);
  });
});

it('rounds each sum of halves to the nearest, ties to even', () => {
  // 256 and 2048 have units of 2 in the last place.
  const bf16 = stored('bf16', Float64Array.of(256, 256, 256));
  addTo(bf16, stored('bf16', Float64Array.of(1, 3, 1.5)));
  expect([...numbersOf(bf16)]).toEqual([256, 260, 258]);
  const f16 = stored('f16', Float64Array.of(2048, 2048, 65504));
  addTo(f16, stored('f16', Float64Array.of(1, 3, 65504)));
  expect([...numbersOf(f16)]).toEqual([2048, 2052, Infinity]);
});
