/** safetensors files: what is written is the format, and what isn't whole, ours or sound is refused. */
import { copyFileSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { MeshwrightError } from '../../src/errors.js';
import type { DType } from '../../src/program/index.js';
import { elementCount } from '../../src/program/index.js';
import type { HostTensor } from '../../src/runtime/index.js';
import { allocateNumbers, numbersOf, stored } from '../../src/runtime/index.js';
import { Safetensors, writeSafetensors } from '../../src/train/checkpoint/safetensors.js';
import type { TensorInfo } from '../../src/train/checkpoint/safetensors-header.js';
import { temporaryFolder } from './data/images.js';

const TENSORS: readonly TensorInfo[] = [
  { name: 'embed/kernel', dtype: 'f32', shape: [3, 5] },
  { name: 'encoder/0/in/bias', dtype: 'bf16', shape: [7] },
  { name: 'optimizer/first-moment/embed/kernel', dtype: 'f64', shape: [3, 5] },
  { name: 'counter/steps', dtype: 'i32', shape: [] },
  { name: 'half', dtype: 'f16', shape: [2, 2] },
  { name: 'nothing', dtype: 'f32', shape: [0, 4] },
];
const METADATA = { schema: 'some', about: 'quotes " and ünïcode, "header-crc32":"00000000"' };

const valuesOf = ({ name, dtype, shape }: TensorInfo): HostTensor => {
  const numbers = allocateNumbers(dtype, elementCount(shape));
  for (let i = 0; i < numbers.length; i++) numbers[i] = i - name.length;
  if (numbers.length > 1 && dtype !== 'i32') numbers[0] = -0;
  return stored(dtype, numbers);
};

let folder: string;
let path: string;
beforeAll(async () => {
  folder = await temporaryFolder();
  path = join(folder, 'whole.safetensors');
  const bytes = await writeSafetensors(path, TENSORS, METADATA, (tensor) => Promise.resolve(valuesOf(tensor)));
  expect(bytes).toBe(readFileSync(path).length);
});

/** Opens a file and reads all that is in it. */
function readAll(file: string): Map<string, HostTensor> {
  const opened = new Safetensors(file);
  try {
    return new Map(opened.tensors.map((tensor) => [tensor.name, opened.read(tensor)]));
  } finally {
    opened.close();
  }
}

/** What reading a file of these bytes throws. */
function refusal(bytes: Uint8Array): MeshwrightError {
  const file = join(folder, 'other.safetensors');
  writeFileSync(file, bytes);
  try {
    readAll(file);
  } catch (error) {
    expect(error).toBeInstanceOf(MeshwrightError);
    expect((error as MeshwrightError).code).toBe('CHECKPOINT_INVALID');
    expect((error as MeshwrightError).detail.place).toContain(file);
    return error as MeshwrightError;
  }
  throw new Error('was read');
}

describe('a file that was written', () => {
  it('has each tensor, to the bit, and the metadata', () => {
    const tensors = readAll(path);
    for (const info of TENSORS) {
      const [got, wanted] = [tensors.get(info.name)!, valuesOf(info)];
      expect(Buffer.from(got.buffer, got.byteOffset, got.byteLength), info.name).toEqual(
        Buffer.from(wanted.buffer, wanted.byteOffset, wanted.byteLength),
      );
    }
    const file = new Safetensors(path);
    expect(file.metadata).toEqual({ ...METADATA, 'header-crc32': undefined });
    file.close();
  });

  it('is read by the description of the format alone: length, JSON, bytes of each tensor at its offsets', () => {
    const all = readFileSync(path);
    const length = Number(all.readBigUInt64LE());
    expect(length % 8).toBe(0);
    const header = JSON.parse(all.toString('utf8', 8, 8 + length)) as Record<
      string,
      { dtype: string; shape: number[]; data_offsets: [number, number] }
    >;
    const dtypes: Record<DType, string> = { f64: 'F64', f32: 'F32', bf16: 'BF16', f16: 'F16', i32: 'I32' };
    const ends = TENSORS.map((info) => {
      const {
        dtype,
        shape,
        data_offsets: [start, end],
      } = header[info.name]!;
      expect({ dtype, shape }).toEqual({ dtype: dtypes[info.dtype], shape: info.shape });
      if (info.dtype === 'f32')
        for (let i = 0; i < elementCount(shape); i++)
          expect(all.readFloatLE(8 + length + start + 4 * i)).toBe(numbersOf(valuesOf(info))[i]);
      return end;
    });
    expect(Math.max(...ends)).toBe(all.length - 8 - length);
  });

  it('is refused with any bit of it changed', () => {
    const all = readFileSync(path);
    for (let at = 0; at < all.length; at++) {
      const changed = Buffer.from(all);
      changed[at]! ^= 1 << (at % 8);
      refusal(changed);
    }
  });

  it('is refused wherever it is cut off, and with bytes after its end', () => {
    const all = readFileSync(path);
    for (let length = 0; length < all.length; length += 3) refusal(all.subarray(0, length));
    expect(refusal(Buffer.concat([all, Buffer.of(0)])).detail.expected).toMatch(/^\d+ bytes of tensors$/);
  });

  it('is refused where it shrinks after it was opened', () => {
    const file = join(folder, 'shrinks.safetensors');
    copyFileSync(path, file);
    const opened = new Safetensors(file);
    truncateSync(file, readFileSync(file).length - 8);
    expect(() => opened.tensors.map((tensor) => opened.read(tensor))).toThrow('the file was damaged');
    opened.close();
  });
});

describe('a file of somebody else', () => {
  const withHeader = (header: string | Buffer, data = Buffer.alloc(0)): Buffer => {
    const text = Buffer.from(header as string);
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(text.length));
    return Buffer.concat([length, text, data]);
  };
  const one = (tensor: unknown): Buffer => withHeader(JSON.stringify({ x: tensor }), Buffer.alloc(8));
  const cases: readonly [what: string, bytes: Buffer, says: string][] = [
    ['nothing', Buffer.alloc(0), 'got 0 bytes'],
    ['text', Buffer.from('a text of some length\n'), 'a safetensors file'],
    ['zeros', Buffer.alloc(64), 'in JSON'],
    ['a list', withHeader('[1, 2]'), 'JSON object'],
    ['null', withHeader('null'), 'JSON object'],
    ['a header that is no text', withHeader(Buffer.of(0xff, 0xfe, 0x00)), 'in JSON'],
    ['metadata that are no strings', withHeader('{"__metadata__": {"step": 3}}'), '__metadata__ of strings'],
    ['a tensor without anything', one(null), 'dtype, shape and data_offsets'],
    ['an unknown type', one({ dtype: 'I64', shape: [1], data_offsets: [0, 8] }), 'a dtype among F64'],
    ['a negative shape', one({ dtype: 'F32', shape: [-2], data_offsets: [0, 8] }), 'a shape of whole numbers'],
    [
      'a shape that is no number',
      one({ dtype: 'F32', shape: [null], data_offsets: [0, 8] }),
      'a shape of whole numbers',
    ],
    ['a fractional shape', one({ dtype: 'F32', shape: [0.5, 4], data_offsets: [0, 8] }), 'a shape of whole numbers'],
    ['an endless shape', one({ dtype: 'F32', shape: [2 ** 52, 2 ** 52], data_offsets: [0, 8] }), 'as its shape'],
    ['no offsets', one({ dtype: 'F32', shape: [2] }), 'two data_offsets'],
    [
      'offsets of another size',
      one({ dtype: 'F32', shape: [2], data_offsets: [0, 4] }),
      '8 bytes, as its shape [2] takes',
    ],
    ['offsets the other way round', one({ dtype: 'F32', shape: [2], data_offsets: [8, 0] }), 'as its shape'],
    ['a gap', one({ dtype: 'F32', shape: [1], data_offsets: [4, 8] }), 'without a gap'],
    ['a tensor of another program', one({ dtype: 'F32', shape: [2], data_offsets: [0, 8] }), 'header-crc32'],
  ];
  it.each(cases)('is refused: %s', (_, bytes, says) => {
    expect(refusal(bytes).message).toContain(says);
  });

  it('is refused with a message of the one kind, whatever is in it', () => {
    const all = readFileSync(path);
    const header = all.subarray(8, 8 + Number(all.readBigUInt64LE()));
    const bytes = fc.uint8Array({ maxLength: 200 });
    const anything = fc.oneof(
      bytes.map((data) => Buffer.from(data)),
      fc.tuple(fc.json({ noUnicodeString: false }), bytes).map(([text, data]) => withHeader(text, Buffer.from(data))),
      // Pieces of a file that is sound, put together otherwise.
      fc
        .tuple(fc.nat(all.length - 1), fc.nat(all.length - 1), bytes)
        .map(([from, to, data]) => Buffer.concat([all.subarray(0, from), data, all.subarray(to)])),
      // A header that is JSON still, with one field something else.
      fc.tuple(fc.nat(), fc.jsonValue()).map(([index, value]) => {
        const document = JSON.parse(header.toString()) as Record<string, Record<string, unknown>>;
        const fields = Object.entries(document).flatMap(([name, entry]) =>
          Object.keys(entry).map((key) => [name, key] as const),
        );
        const [name, key] = fields[index % fields.length]!;
        document[name]![key] = value;
        return withHeader(JSON.stringify(document), all.subarray(8 + header.length));
      }),
    );
    fc.assert(
      fc.property(anything, (bytes) => {
        if (!bytes.equals(all)) refusal(bytes);
      }),
      { numRuns: 500 },
    );
  });
});

it('a file that is there is not written over', async () => {
  const before = readFileSync(path);
  await expect(writeSafetensors(path, TENSORS, {}, (tensor) => Promise.resolve(valuesOf(tensor)))).rejects.toThrow(
    'EEXIST',
  );
  expect(readFileSync(path)).toEqual(before);
});
