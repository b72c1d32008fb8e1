import { elementCount } from '../../../program/types.js';
import type { Numbers } from '../tensors.js';
import type { ReferenceKernel } from './kernel.js';
import { rows } from './kernel.js';

/** [k,m] → [m,k], starting at `offset`. */
function transposed(x: Numbers, offset: number, k: number, m: number): Float64Array {
  const result = new Float64Array(m * k);
  for (let i = 0; i < m; i++) for (let p = 0; p < k; p++) result[i * k + p] = x[offset + p * m + i]!;
  return result;
}

/** result [m,n] += scale · A [m,k] B [k,n], row by row of B so that memory is read in order. */
function accumulate(
  result: Float64Array,
  a: Numbers,
  b: Numbers,
  { m, n, k, scale }: { m: number; n: number; k: number; scale: number },
): void {
  for (let i = 0; i < m; i++) {
    for (let p = 0; p < k; p++) {
      const left = scale * a[i * k + p]!;
      for (let j = 0; j < n; j++) result[i * n + j]! += left * b[p * n + j]!;
    }
  }
}

export const matmul: ReferenceKernel<'matmul'> = ({ operands, types, resultTypes, attributes }) => {
  const [a, b, addend] = operands as [Numbers, Numbers, Numbers | undefined];
  const { transposeA, transposeB, scale } = attributes;
  const [m, n] = resultTypes[0]!.shape.slice(-2) as [number, number];
  const k = types[0]!.shape.at(transposeA ? -2 : -1)!;
  const batch = elementCount(resultTypes[0]!.shape) / (m * n);
  const result = new Float64Array(batch * m * n);
  // A bias repeats with its own length; any other addend is as long as the result.
  if (addend !== undefined) for (let i = 0; i < result.length; i++) result[i] = addend[i % addend.length]!;
  for (let item = 0; item < batch; item++) {
    const shared = types[1]!.shape.length === 2;
    const left = transposeA ? transposed(a, item * m * k, k, m) : a.subarray(item * m * k, (item + 1) * m * k);
    const offset = shared ? 0 : item * k * n;
    const right = transposeB ? transposed(b, offset, n, k) : b.subarray(offset, offset + k * n);
    accumulate(result.subarray(item * m * n, (item + 1) * m * n), left, right, { m, n, k, scale });
  }
  return [result];
};

/** x [..., k], dy [..., n], addend [k,n]? → xᵀ dy (+ addend) [k,n]. */
export const matmul_weight_gradient: ReferenceKernel<'matmul_weight_gradient'> = ({ operands, types }) => {
  const [x, dy, addend] = operands;
  const { count, width: k } = rows(types[0]!);
  const n = types[1]!.shape.at(-1)!;
  const result = addend === undefined ? new Float64Array(k * n) : Float64Array.from(addend);
  accumulate(result, transposed(x!, 0, count, k), dy!, { m: k, n, k: count, scale: 1 });
  return [result];
};
