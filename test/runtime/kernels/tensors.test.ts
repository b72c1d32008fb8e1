import { describe, expect, it } from 'vitest';
import { DTYPE_BYTES, DTYPES } from '../../../src/program/index.js';
import { allocate, dtypeOf, numbersOf, stored, viewOf } from '../../../src/runtime/kernels/tensors.js';

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

  it('is seen again in the bytes of a clone', () => {
    const { buffer, byteOffset, length } = structuredClone(stored(dtype, Float64Array.of(1, -2, 384)));
    expect([...numbersOf(viewOf(dtype, buffer, byteOffset, length))]).toEqual([1, -2, 384]);
  });
});
