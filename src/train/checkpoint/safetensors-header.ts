/**
 * The header of a safetensors file: eight bytes with its length, then JSON that says of each tensor its type, shape and
 * where its bytes lie, and strings about the whole (https://github.com/huggingface/safetensors, README, "Format").
 * Anything that strays from the format is refused: a file may be damaged, or somebody else's.
 */
import { crc32 } from 'node:zlib';
import { MeshwrightError } from '../../errors.js';
import type { DType } from '../../program/index.js';
import { DTYPE_BYTES, DTYPES, elementCount } from '../../program/index.js';

export interface TensorInfo {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
}

export interface PlacedTensor extends TensorInfo {
  /** From the end of the header. */
  readonly start: number;
  readonly bytes: number;
}

export interface Header {
  /** In the order in which they lie in the file, without gaps. */
  readonly tensors: readonly PlacedTensor[];
  readonly metadata: Readonly<Record<string, string>>;
}

export const LENGTH_BYTES = 8;
/** As the format's own readers have it. */
const MOST_HEADER_BYTES = 100_000_000;
const ALIGNMENT_BYTES = 8;

const NAMES = { f64: 'F64', f32: 'F32', bf16: 'BF16', f16: 'F16', i32: 'I32' } as const satisfies Record<DType, string>;
const METADATA = '__metadata__';

/** The entry of the metadata that covers the header itself: the checksum of its bytes with this entry all zeros. */
const DIGEST = 'header-crc32';
const digestEntry = (value: string): string => `"${DIGEST}":"${value}"`;
const NO_DIGEST = '00000000';

export const refused = (place: string, expected: string, got: string, hint?: string): MeshwrightError =>
  new MeshwrightError('CHECKPOINT_INVALID', { place, expected, got, ...(hint === undefined ? {} : { hint }) });

/** CRC-32 (zlib's) as eight hexadecimal digits. */
export const checksum = (value: number): string => value.toString(16).padStart(8, '0');

/** Lays tensors one after the other, the wide types first so that each begins at a multiple of its element's size. */
export function placeTensors(tensors: readonly TensorInfo[]): PlacedTensor[] {
  let start = 0;
  return tensors
    .toSorted((a, b) => DTYPE_BYTES[b.dtype] - DTYPE_BYTES[a.dtype])
    .map(({ name, dtype, shape }) => {
      const placed = { name, dtype, shape, start, bytes: elementCount(shape) * DTYPE_BYTES[dtype] };
      start += placed.bytes;
      return placed;
    });
}

/** @returns the header's bytes, its length included; as many for metadata of as many characters */
export function formatHeader({ tensors, metadata }: Header): Buffer {
  const entries = tensors.map(({ name, dtype, shape, start, bytes }) => {
    return [name, { dtype: NAMES[dtype], shape, data_offsets: [start, start + bytes] }] as const;
  });
  const text = JSON.stringify({
    [METADATA]: { [DIGEST]: NO_DIGEST, ...metadata },
    ...Object.fromEntries(entries),
  });
  const length = Math.ceil(Buffer.byteLength(text) / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
  const all = Buffer.alloc(LENGTH_BYTES + length, ' ');
  all.writeBigUInt64LE(BigInt(length));
  all.write(text, LENGTH_BYTES);
  const digest = checksum(crc32(all.subarray(LENGTH_BYTES)));
  all.write(digestEntry(digest), all.indexOf(digestEntry(NO_DIGEST)));
  return all;
}

/**
 * How long the header is, from the file's first bytes.
 *
 * @throws MeshwrightError CHECKPOINT_INVALID
 */
export function headerLength(first: Buffer, fileBytes: number, place: string): number {
  const form = 'a safetensors file';
  if (first.length < LENGTH_BYTES) throw refused(place, form, `${fileBytes} bytes`);
  const length = first.readBigUInt64LE();
  if (length > BigInt(MOST_HEADER_BYTES)) throw refused(place, form, 'something else: its first bytes give no length');
  if (LENGTH_BYTES + Number(length) > fileBytes) {
    throw refused(place, `a header of ${length} bytes, as the file's first bytes say`, `a file of ${fileBytes}`, CUT);
  }
  return Number(length);
}

const CUT = 'it is no safetensors file, or was cut short';

const isWhole = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function readTensor(name: string, entry: unknown, place: string): PlacedTensor {
  const at = `${place}, tensor ${name}`;
  if (!isRecord(entry)) throw refused(at, 'dtype, shape and data_offsets', JSON.stringify(entry));
  const { dtype: dtypeName, shape, data_offsets: offsets } = entry;
  const dtype = DTYPES.find((one) => NAMES[one] === dtypeName);
  if (dtype === undefined) {
    throw refused(at, `a dtype among ${Object.values(NAMES).join(', ')}`, JSON.stringify(dtypeName) ?? 'none');
  }
  if (!Array.isArray(shape) || !shape.every(isWhole))
    throw refused(at, 'a shape of whole numbers', JSON.stringify(shape) ?? 'none');
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isWhole))
    throw refused(at, 'two data_offsets', JSON.stringify(offsets) ?? 'none');
  const [start, end] = offsets as [number, number];
  const bytes = elementCount(shape) * DTYPE_BYTES[dtype];
  if (end - start !== bytes)
    throw refused(at, `${bytes} bytes, as its shape [${shape.join(',')}] takes`, String(end - start));
  return { name, dtype, shape, start, bytes };
}

/**
 * @param bytes of the header, without its length
 * @param dataBytes what of the file comes after it
 * @throws MeshwrightError CHECKPOINT_INVALID of what is no header, was changed since it was written, or says of its
 *   tensors what can't be
 */
export function parseHeader(bytes: Buffer, dataBytes: number, place: string): Header {
  let document: unknown;
  try {
    document = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw refused(place, 'a header in JSON', (error as Error).message);
  }
  if (!isRecord(document))
    throw refused(place, 'a header that is a JSON object', JSON.stringify(document).slice(0, 80));
  const { [METADATA]: about = {}, ...entries } = document;
  if (!isRecord(about) || !Object.values(about).every((value) => typeof value === 'string'))
    throw refused(place, `${METADATA} of strings`, JSON.stringify(about).slice(0, 80));
  const { [DIGEST]: digest, ...metadata } = about as Record<string, string>;
  const tensors = Object.entries(entries)
    .map(([name, entry]) => readTensor(name, entry, place))
    .toSorted((a, b) => a.start - b.start || a.bytes - b.bytes);
  let end = 0;
  for (const { name, start, bytes: size } of tensors) {
    if (start !== end)
      throw refused(`${place}, tensor ${name}`, `data from byte ${end} on, without a gap`, String(start));
    end += size;
  }
  if (end !== dataBytes) throw refused(place, `${end} bytes of tensors`, String(dataBytes), CUT);
  requireDigest(bytes, digest, place);
  return { tensors, metadata };
}

function requireDigest(bytes: Buffer, digest: string | undefined, place: string): void {
  if (digest === undefined)
    throw refused(place, `${DIGEST} in ${METADATA}, as in each checkpoint of this project`, 'none');
  const at = bytes.indexOf(digestEntry(digest));
  const plain = Buffer.from(bytes);
  if (at >= 0) plain.write(digestEntry(NO_DIGEST), at);
  const got = checksum(crc32(plain));
  if (at < 0 || got !== digest) throw refused(place, `a header with checksum ${digest}`, got, 'the file was damaged');
}
