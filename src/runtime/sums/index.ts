/** Sums of tensors as collectives form them: with SIMD where the engine has it, in plain loops elsewhere. */
import type { DType } from '../../program/index.js';
import { DTYPE_BYTES, DTYPES } from '../../program/index.js';
import type { HostTensor } from '../kernels/tensors.js';
import { dtypeOf, viewOf } from '../kernels/tensors.js';
import type { Copy } from './copy.js';
import { createCopy } from './copy.js';
import { addPlain } from './plain.js';
import { createSimdModule, RUN_BYTES } from './simd.js';

export type { Copy } from './copy.js';
export { createCopy } from './copy.js';
export { addPlain } from './plain.js';

/**
 * target = left + right, arrays of one kind and length over any memory; the target may be one of the terms. The same
 * bits either way, but for those of a NaN.
 */
export type Add = (target: HostTensor, left: HostTensor, right: HostTensor) => void;

/** Shorter sums are formed in place: to copy them into the module's memory takes longer. */
const SHORT_BYTES = 256;

/** @param simd false for plain loops in any case */
export function createAdd({ simd = true }: { readonly simd?: boolean } = {}): Add {
  const module = simd ? createSimdModule() : undefined;
  const copy: Copy = createCopy();
  if (module === undefined) return addPlain;
  const runOf = (dtype: DType, index: number): HostTensor =>
    viewOf(dtype, module.memory, index * RUN_BYTES, RUN_BYTES / DTYPE_BYTES[dtype]);
  const runs = Object.fromEntries(
    DTYPES.map((dtype) => [dtype, [runOf(dtype, 0), runOf(dtype, 1)]]),
  ) as unknown as Record<DType, readonly [HostTensor, HostTensor]>;

  return (target, left, right) => {
    if (target.byteLength < SHORT_BYTES) {
      addPlain(target, left, right);
      return;
    }
    const dtype = dtypeOf(target);
    const [first, second] = runs[dtype];
    const { length } = target;
    for (let start = 0; start < length; start += first.length) {
      const count = Math.min(first.length, length - start);
      const whole = count === length;
      const part = (tensor: HostTensor): HostTensor => (whole ? tensor : tensor.subarray(start, start + count));
      const run = (tensor: HostTensor): HostTensor => (count === tensor.length ? tensor : tensor.subarray(0, count));
      copy(run(first), part(left));
      copy(run(second), part(right));
      module.add[dtype](count * first.BYTES_PER_ELEMENT);
      copy(part(target), run(first));
    }
  };
}
