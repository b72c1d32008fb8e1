/** Tensors in host memory: an array of the kind that each element type is held in. */
import type { DType } from '../../program/dtype.js';
import { Bf16Array, decode, encode, F16Array, HalfArray } from './half.js';

/** Never over a SharedArrayBuffer: onnxruntime refuses those. */
export type HostTensor = Float32Array | Float64Array | Int32Array | Bf16Array | F16Array;

/** A tensor in a family's own form, where its device computes: only kernels of the family that made it take it. */
export interface DeviceTensor {
  readonly dtype: DType;
  /** Elements; 1 of a scalar. */
  readonly length: number;
  /** Writes its elements to an array of its type and length. */
  read(target: HostTensor): Promise<void> | void;
  /** Frees its memory at once. It may have ended before. */
  dispose(): void;
}

/** Arrays whose elements are numbers, not the bits of a half. */
export type Numbers = Float32Array | Float64Array | Int32Array;

const KINDS = { f64: Float64Array, f32: Float32Array, bf16: Bf16Array, f16: F16Array, i32: Int32Array } as const;

/** Zeros. */
export const allocate = (dtype: DType, length: number): HostTensor => new KINDS[dtype](length);

/** `length` elements of a buffer, which may be shared: subclasses of typed arrays have no type that says so. */
export const viewOf = (dtype: DType, buffer: ArrayBufferLike, byteOffset: number, length: number): HostTensor =>
  new KINDS[dtype](buffer as ArrayBuffer, byteOffset, length);

export const isOnDevice = (tensor: HostTensor | DeviceTensor): tensor is DeviceTensor => !ArrayBuffer.isView(tensor);

export function dtypeOf(tensor: HostTensor | DeviceTensor): DType {
  if (tensor instanceof Float32Array) return 'f32';
  if (tensor instanceof Float64Array) return 'f64';
  return tensor instanceof Int32Array ? 'i32' : tensor.dtype;
}

/** The tensor's numbers: halves are decoded, anything else is given as it is. */
export const numbersOf = (tensor: HostTensor): Numbers => (tensor instanceof HalfArray ? decode(tensor) : tensor);

/** Where the numbers of a tensor are written before `stored`: an array of its own kind, or of float32 for a half. */
export const allocateNumbers = (dtype: DType, length: number): Numbers =>
  allocate(dtype === 'bf16' || dtype === 'f16' ? 'f32' : dtype, length) as Numbers;

/** The numbers as a tensor, rounded once; the same array where it is of the kind already. */
export function stored(dtype: DType, numbers: Numbers): HostTensor {
  if (dtypeOf(numbers) === dtype) return numbers;
  const tensor = allocate(dtype, numbers.length);
  if (tensor instanceof HalfArray) encode(numbers, tensor);
  else tensor.set(numbers);
  return tensor;
}
