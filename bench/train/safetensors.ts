/** Reads float32 tensors from a safetensors file of others: one of ours has checksums, without which it is refused. */
import { readFileSync } from 'node:fs';
import { headerLength, LENGTH_BYTES, parseHeader } from '../../src/train/checkpoint/safetensors-header.js';

export interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

export function readSafetensors(path: string): ReadonlyMap<string, Tensor> {
  const bytes = readFileSync(path);
  const from = LENGTH_BYTES + headerLength(bytes.subarray(0, LENGTH_BYTES), bytes.length, path);
  const { tensors } = parseHeader(bytes.subarray(LENGTH_BYTES, from), bytes.length - from, path);
  return new Map(
    tensors.map(({ name, dtype, shape, start, bytes: length }) => {
      if (dtype !== 'f32') throw new Error(`${path}: ${name} is of ${dtype}, not f32`);
      // Copied, so that it begins at a multiple of 4 bytes.
      const data = new Float32Array(new Uint8Array(bytes.subarray(from + start, from + start + length)).buffer);
      return [name, { shape, data }];
    }),
  );
}
