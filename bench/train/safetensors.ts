/** Reads float32 tensors from a safetensors file that others wrote: our own reader takes only files with our checksums. */
import { readFileSync } from 'node:fs';

export interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

export function readSafetensors(path: string): ReadonlyMap<string, Tensor> {
  const bytes = readFileSync(path);
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, start).toString('utf8')) as Record<string, Entry>;
  const tensors = new Map<string, Tensor>();
  for (const [
    name,
    {
      dtype,
      shape,
      data_offsets: [from, to],
    },
  ] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    if (dtype !== 'F32') throw new Error(`${path}: ${name} is ${dtype}, not F32`);
    // Copied, so that it begins at a multiple of 4 bytes.
    const data = new Float32Array(new Uint8Array(bytes.subarray(start + from, start + to)).buffer);
    tensors.set(name, { shape, data });
  }
  return tensors;
}
