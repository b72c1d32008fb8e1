import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DTYPES } from '../../src/program/index.js';
import { HalfArray } from '../../src/runtime/kernels/half.js';
import { allocate, numbersOf, stored, viewOf } from '../../src/runtime/kernels/tensors.js';
import type { HostTensor } from '../../src/runtime/kernels/tensors.js';
import { addPlain, createAdd, createCopy } from '../../src/runtime/sums/index.js';
import { createSimdModule, RUN_BYTES } from '../../src/runtime/sums/simd.js';

const bytesOf = ({ buffer, byteOffset, byteLength }: HostTensor): Buffer => Buffer.from(buffer, byteOffset, byteLength);

it('this engine has SIMD, so that what follows compares two ways', () => {
  expect(createSimdModule()).toBeDefined();
  expect(createAdd({ simd: false })).toBe(addPlain);
});

describe.each(DTYPES)('sums of %s', (dtype) => {
  const add = createAdd();

  it('are those of the numbers, rounded once', () => {
    // In the units of the last place of a half: 256 and 2048 have units of 2.
    const left = stored(dtype, Float64Array.of(1, -2, 384, 256, 256, 2048));
    const right = stored(dtype, Float64Array.of(16, 2, -256, 1, 3, 1));
    const exact = numbersOf(left).map((value, index) => value + numbersOf(right)[index]!);
    for (const one of [add, addPlain]) {
      const sum = allocate(dtype, left.length);
      one(sum, left, right);
      expect(numbersOf(sum)).toEqual(numbersOf(stored(dtype, exact)));
    }
  });

  it('have the same bits with SIMD, for any bits of the terms, of any length, in place or not', () => {
    const property = fc.property(
      fc.integer({ min: 1, max: 300 }),
      fc.infiniteStream(fc.integer({ min: 0, max: 0xffffffff })),
      fc.boolean(),
      (length, words, inPlace) => {
        const random = (): HostTensor => {
          const tensor = allocate(dtype, length);
          const bytes = bytesOf(tensor);
          for (let at = 0; at + 2 <= bytes.length; at += 2) bytes.writeUInt16LE(words.next().value & 0xffff, at);
          return tensor;
        };
        const [left, right] = [random(), random()];
        const expected = allocate(dtype, length);
        addPlain(expected, left, right);
        const target = inPlace ? left : allocate(dtype, length);
        add(target, left, right);
        if (expected instanceof HalfArray || dtype === 'i32') {
          numbersOf(expected).forEach((value, index) => {
            if (!Number.isNaN(value)) expect(target[index]).toBe(expected[index]);
            else expect(numbersOf(target)[index]).toBeNaN();
          });
        } else expect(target).toEqual(expected);
      },
    );
    fc.assert(property, { numRuns: 200 });
  });

  it('may be longer than what is added at a time, and lie over shared memory', () => {
    const length = RUN_BYTES + 3;
    const [left, right] = [11, 13].map((every) =>
      stored(
        dtype,
        Float64Array.from({ length }, (_, index) => index % every),
      ),
    ) as [HostTensor, HostTensor];
    const shared = viewOf(dtype, new SharedArrayBuffer(left.byteLength), 0, length);
    shared.set(right);
    const target = allocate(dtype, length);
    add(target, left, shared);
    const expected = Float64Array.from({ length }, (_, index) => (index % 11) + (index % 13));
    expect([...numbersOf(target)]).toEqual([...expected]);
  });
});

it.each(['bf16', 'f16'] as const)('every %s plus zero or itself is what plain loops make of it', (dtype) => {
  const all = viewOf(dtype, Uint16Array.from({ length: 2 ** 16 }, (_, bits) => bits).buffer, 0, 2 ** 16);
  const add = createAdd();
  for (const other of [allocate(dtype, 2 ** 16), all]) {
    const [plain, simd] = [allocate(dtype, 2 ** 16), allocate(dtype, 2 ** 16)];
    addPlain(plain, all, other);
    add(simd, all, other);
    expect(numbersOf(simd)).toEqual(numbersOf(plain));
  }
});

it('copies between own and shared memory keep every byte, however the two lie', () => {
  const copy = createCopy();
  const property = fc.property(
    fc.nat(9),
    fc.nat(9),
    fc.oneof(fc.nat(200), fc.integer({ min: 32_000, max: 34_000 })),
    fc.boolean(),
    (ownAt, sharedAt, length, isOut) => {
      const own = viewOf('bf16', new ArrayBuffer(80_000), 2 * ownAt, length);
      const shared = viewOf('bf16', new SharedArrayBuffer(80_000), 2 * sharedAt, length);
      const [target, source] = isOut ? [shared, own] : [own, shared];
      source.forEach((_, index) => (source[index] = index + 1));
      copy(target, source);
      expect(Buffer.compare(bytesOf(target), bytesOf(source))).toBe(0);
      // Nothing around it is touched.
      expect(new Uint16Array(target.buffer).reduce((total, value) => total + Math.sign(value), 0)).toBe(length);
    },
  );
  fc.assert(property, { numRuns: 60 });
});
