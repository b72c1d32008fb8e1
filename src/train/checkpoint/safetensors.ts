/** safetensors files tensor by tensor, so that no more than one is in memory, with a checksum of each. */
import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { MeshwrightError } from '../../errors.js';
import { elementCount } from '../../program/index.js';
import type { HostTensor } from '../../runtime/index.js';
import { dtypeOf, viewOf } from '../../runtime/index.js';
import type { Header, PlacedTensor, TensorInfo } from './safetensors-header.js';
import {
  LENGTH_BYTES,
  checksum,
  formatHeader,
  headerLength,
  parseHeader,
  placeTensors,
  refused,
} from './safetensors-header.js';

/** The entry of the metadata with each tensor's checksum, as JSON. */
const CHECKSUMS = 'crc32';
/** Read or written at a time. */
const PIECE_BYTES = 2 ** 26;

const bytesOf = ({ buffer, byteOffset, byteLength }: HostTensor): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

function eachPiece(all: Uint8Array, act: (piece: Uint8Array) => void): void {
  for (let start = 0; start < all.length; start += PIECE_BYTES) act(all.subarray(start, start + PIECE_BYTES));
}

function checksumOf(all: Uint8Array): string {
  let crc = 0;
  eachPiece(all, (piece) => (crc = crc32(piece, crc)));
  return checksum(crc);
}

/**
 * Writes a file that must not exist yet.
 *
 * @param read gives a tensor's values, asked for one after the other
 * @throws what `read` throws and errors of the file system; the file is then incomplete
 */
export async function writeSafetensors(
  path: string,
  tensors: readonly TensorInfo[],
  metadata: Readonly<Record<string, string>>,
  read: (tensor: TensorInfo) => Promise<HostTensor>,
): Promise<number> {
  const placed = placeTensors(tensors);
  const sums = Object.fromEntries(placed.map(({ name }) => [name, checksum(0)]));
  const header = (): Buffer =>
    formatHeader({ tensors: placed, metadata: { ...metadata, [CHECKSUMS]: JSON.stringify(sums) } });
  const file = openSync(path, 'wx');
  try {
    let end = writeAll(file, header(), 0);
    for (const tensor of placed) {
      const values = await read(tensor);
      if (dtypeOf(values) !== tensor.dtype || values.length !== elementCount(tensor.shape)) {
        const [expected, got] = [
          `${elementCount(tensor.shape)} of ${tensor.dtype}`,
          `${values.length} of ${dtypeOf(values)}`,
        ];
        throw new MeshwrightError('INTERNAL', { place: tensor.name, expected, got });
      }
      sums[tensor.name] = checksumOf(bytesOf(values));
      end = writeAll(file, bytesOf(values), end);
    }
    // Its checksums are known only now; it is as long as before.
    writeAll(file, header(), 0);
    return end;
  } finally {
    closeSync(file);
  }
}

/** @returns where it ends */
function writeAll(file: number, all: Uint8Array, start: number): number {
  let position = start;
  eachPiece(all, (piece) => {
    for (let done = 0; done < piece.length;) {
      const written = writeSync(file, piece, done, piece.length - done, position);
      done += written;
      position += written;
    }
  });
  return position;
}

function readAll(file: number, all: Uint8Array, start: number): number {
  let position = start;
  eachPiece(all, (piece) => {
    for (let done = 0; done < piece.length;) {
      const count = readSync(file, piece, done, piece.length - done, position);
      if (count === 0) return;
      done += count;
      position += count;
    }
  });
  return position - start;
}

/** A file that is open to be read. */
export class Safetensors implements Header {
  readonly tensors: readonly PlacedTensor[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly path: string;
  readonly bytes: number;
  readonly #file: number;
  readonly #dataStart: number;
  readonly #sums: Readonly<Record<string, unknown>>;

  /** @throws MeshwrightError CHECKPOINT_INVALID of a file that can't be read or is no whole one */
  constructor(path: string) {
    this.path = path;
    try {
      this.#file = openSync(path, 'r');
    } catch (error) {
      throw refused(path, 'a file that can be read', (error as Error).message);
    }
    try {
      const stat = fstatSync(this.#file);
      if (!stat.isFile()) throw refused(path, 'a safetensors file', 'no file');
      this.bytes = stat.size;
      const first = Buffer.alloc(Math.min(LENGTH_BYTES, stat.size));
      readAll(this.#file, first, 0);
      const header = Buffer.alloc(headerLength(first, stat.size, path));
      readAll(this.#file, header, LENGTH_BYTES);
      this.#dataStart = LENGTH_BYTES + header.length;
      const { tensors, metadata } = parseHeader(header, stat.size - this.#dataStart, path);
      const { [CHECKSUMS]: sums, ...rest } = metadata;
      this.#sums = readSums(sums, path);
      this.tensors = tensors;
      this.metadata = rest;
    } catch (error) {
      this.close();
      throw error instanceof MeshwrightError
        ? error
        : refused(path, 'a file that can be read', (error as Error).message);
    }
  }

  /** @throws MeshwrightError CHECKPOINT_INVALID where its bytes aren't those that were written */
  read({ name, dtype, shape, start, bytes }: PlacedTensor): HostTensor {
    const place = `${this.path}, tensor ${name}`;
    const all = new Uint8Array(bytes);
    let count: number;
    try {
      count = readAll(this.#file, all, this.#dataStart + start);
    } catch (error) {
      throw refused(place, 'bytes that can be read', (error as Error).message);
    }
    const [expected, got] = [this.#sums[name], checksumOf(all)];
    if (count !== bytes || expected !== got)
      throw refused(place, `data with checksum ${String(expected)}`, got, 'the file was damaged');
    return viewOf(dtype, all.buffer, 0, elementCount(shape));
  }

  close(): void {
    closeSync(this.#file);
  }
}

function readSums(text: string | undefined, place: string): Readonly<Record<string, unknown>> {
  const invalid = (got: string) => refused(place, `${CHECKSUMS} in __metadata__, a checksum of each tensor`, got);
  if (text === undefined) throw invalid('none');
  try {
    const sums: unknown = JSON.parse(text);
    if (typeof sums === 'object' && sums !== null) return sums as Record<string, unknown>;
  } catch {
    // As any other that is none.
  }
  throw invalid(text.slice(0, 80));
}
