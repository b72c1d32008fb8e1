/** How the dimensions of a matrix product line up: what a ring has to cut along when one of them travels in parts. */
import { matmulLabels } from '../../ops/product-labels.js';
import type { Op, ValueId, ValueType } from '../../types.js';
import { attributesOf } from '../../builder.js';

export type ProductName = 'matmul' | 'matmul_weight_gradient';
export type Product = Op<ProductName>;

export const isProduct = (op: Op): op is Product => op.name === 'matmul' || op.name === 'matmul_weight_gradient';

export interface ProductLabels {
  /** Of the two factors. */
  readonly factors: readonly [readonly string[], readonly string[]];
  readonly result: readonly string[];
}

export function productLabels(op: Product, type: (id: ValueId) => ValueType): ProductLabels {
  const [a, b] = op.operands.map((id) => type(id).shape.length) as [number, number];
  if (op.name === 'matmul') {
    const { transposeA, transposeB } = attributesOf(op, 'matmul');
    const names = matmulLabels(a, b, transposeA, transposeB);
    return { factors: [names.a, names.b], result: names.result };
  }
  const leading = Array.from({ length: a - 1 }, (_, index) => `d${index}`);
  return {
    factors: [
      [...leading, 'k'],
      [...leading, 'n'],
    ],
    result: ['k', 'n'],
  };
}
