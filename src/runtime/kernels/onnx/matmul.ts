/**
 * Matrix products. Measured with onnxruntime 1.30 on one thread of an AVX-512 CPU: where both operands have leading
 * dimensions, FusedMatMul's transposes beat a Transpose and a MatMul by 10 to 25 %. Gemm adds to a matrix at no cost
 * that can be measured; a MatMul and an Add take up to 5 % longer and a second matrix of memory.
 */
import { elementCount } from '../../../program/types.js';
import type { Emitter, Name, OnnxKernel, Ranked } from './emitter.js';

/** scale · op(a) op(b) + c of matrices, c of the result's shape: added to as the product is made. */
const gemm = (
  emitter: Emitter,
  [a, b, c]: readonly [Name, Name, Name],
  transposes: [boolean, boolean],
  scale: number,
) =>
  emitter.node('Gemm', [a, b, c], {
    transA: { int: Number(transposes[0]) },
    transB: { int: Number(transposes[1]) },
    alpha: { float: scale },
  });

export const matmul: OnnxKernel<'matmul'> = ({ emitter, operands, types, resultTypes, attributes }) => {
  const [a, b, addend] = operands as [Name, Name, Name | undefined];
  const { transposeA, transposeB, scale } = attributes;
  const isBias = types[2]?.shape.length === 1;
  if (addend !== undefined && !isBias && types[1]!.shape.length === 2) {
    const matrix = (value: Name, width: number, shape: readonly number[]): Name =>
      shape.length === 2 ? value : emitter.reshape(value, [elementCount(shape) / width, width]);
    const { shape } = resultTypes[0]!;
    const left = matrix(a, types[0]!.shape.at(-1)!, types[0]!.shape);
    const sum = gemm(emitter, [left, b, matrix(addend, shape.at(-1)!, shape)], [transposeA, transposeB], scale);
    return [shape.length === 2 ? sum : emitter.reshape(sum, shape)];
  }
  const plain = !transposeA && !transposeB && scale === 1;
  const ranked = (name: Name, slot: number): Ranked => ({ name, rank: types[slot]!.shape.length });
  const product = plain
    ? emitter.node('MatMul', [a, b])
    : emitter.fusedMatmul(ranked(a, 0), ranked(b, 1), transposeA, transposeB, scale);
  return [addend === undefined ? product : emitter.node('Add', [product, addend])];
};

/**
 * x [..., k], dy [..., n], addend [k,n]? → xᵀ dy (+ addend) [k,n]. Without an addend a transposed copy of x, which is
 * made once, and a plain product run 5 to 8 % faster than a product that transposes as it reads, unless x is the wider
 * of the two.
 */
export const matmul_weight_gradient: OnnxKernel<'matmul_weight_gradient'> = ({ emitter, operands, types }) => {
  const [x, dy, addend] = operands as [Name, Name, Name | undefined];
  const { shape } = types[0]!;
  const k = shape.at(-1)!;
  const n = types[1]!.shape.at(-1)!;
  const rows = elementCount(shape) / k;
  const right = emitter.reshape(dy, [rows, n]);
  if (addend !== undefined) return [gemm(emitter, [emitter.reshape(x, [rows, k]), right, addend], [true, false], 1)];
  if (k > n) {
    const [matrix, wide] = [emitter.reshape(x, [rows, k]), right].map((name) => ({ name, rank: 2 }));
    return [emitter.fusedMatmul(matrix!, wide!, true, false, 1)];
  }
  const last = shape.length - 1;
  // The reshape after it keeps onnxruntime from folding the transpose into the product.
  const left = emitter.transpose(x, [last, ...shape.slice(0, -1).keys()]);
  return [emitter.node('MatMul', [emitter.reshape(left, [k, rows]), right])];
};
