import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { OpTime } from '../../src/hardware/index.js';
import { bytes, seconds } from '../../src/units.js';
import { opTime } from '../../sim/index.js';

const size = fc.integer({ min: 64, max: 2 ** 24 });
const row = fc.constantFrom(1, 16, 64, 256, 1024);
const of = (op: string, size_: number, row_: number, time: number): OpTime => ({
  op,
  bytes: bytes(size_),
  row: row_,
  seconds: seconds(time),
});
const uniqueSizes = fc.uniqueArray(fc.record({ bytes: size, row }), {
  selector: (one) => `${one.bytes} ${one.row}`,
  minLength: 1,
  maxLength: 8,
});

describe('the time of an op', () => {
  test('is what was measured where it was measured', () => {
    const noisy = fc.tuple(
      uniqueSizes,
      fc.array(fc.double({ min: 1e-6, max: 1e-2, noNaN: true }), { minLength: 8, maxLength: 8 }),
    );
    fc.assert(
      fc.property(noisy, ([sizes, times]) => {
        const opTimes = sizes.map((one, index) => of('gelu', one.bytes, one.row, times[index]!));
        for (const one of opTimes) {
          const found = opTime({ opTimes }, 'gelu', { bytes: one.bytes, row: one.row! });
          expect(found! / one.seconds).toBeCloseTo(1, 9);
        }
      }),
    );
  });

  test('follows a start, so much a byte and so much a row everywhere, where all that was measured does', () => {
    const law = fc.record({
      start: fc.double({ min: 1e-6, max: 1e-4, noNaN: true }),
      perByte: fc.double({ min: 1e-11, max: 1e-9, noNaN: true }),
      perRow: fc.double({ min: 1e-9, max: 1e-7, noNaN: true }),
    });
    const measured = [2 ** 8, 2 ** 14, 2 ** 20].flatMap((one) =>
      [16, 256].map((length) => ({ bytes: one, row: length })),
    );
    fc.assert(
      fc.property(law, size, row, ({ start, perByte, perRow }, bytes_, row_) => {
        const time = (one: number, length: number): number => start + perByte * one + (perRow * one) / length;
        const opTimes = measured.map((one) => of('softmax', one.bytes, one.row, time(one.bytes, one.row)));
        const found = opTime({ opTimes }, 'softmax', { bytes: bytes(bytes_), row: row_ });
        expect(found! / time(bytes_, row_)).toBeCloseTo(1, 3);
      }),
    );
  });

  test('is above zero whatever was measured, and grows in proportion where one size is all there is', () => {
    const opTimes = [of('add', 1000, 10, 1e-5)];
    expect(opTime({ opTimes }, 'add', { bytes: bytes(4000), row: 10 })).toBeCloseTo(4e-5, 12);
    fc.assert(
      fc.property(
        uniqueSizes,
        fc.infiniteStream(fc.double({ min: 1e-7, max: 1, noNaN: true })),
        size,
        row,
        (sizes, times, bytes_, row_) => {
          const opTimes_ = sizes.map((one) => of('add', one.bytes, one.row, times.next().value as number));
          expect(opTime({ opTimes: opTimes_ }, 'add', { bytes: bytes(bytes_), row: row_ })).toBeGreaterThan(0);
        },
      ),
    );
  });

  test('is unknown of an op that was not measured, and of a chip of which nothing was', () => {
    const asked = { bytes: bytes(100), row: 10 };
    expect(opTime({ opTimes: [of('add', 100, 10, 1)] }, 'gelu', asked)).toBeUndefined();
    expect(opTime({}, 'add', asked)).toBeUndefined();
  });
});
