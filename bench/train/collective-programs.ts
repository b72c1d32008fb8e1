/** Programs of a gradient's sum over two ranks, as a training step has it, and of matrix products beside it. */
import { createMesh } from '../../src/mesh/index.js';
import { Builder, DTYPE_BYTES, verify } from '../../src/program/index.js';
import type { DType, Program } from '../../src/program/index.js';

export const PAIR = createMesh({ data: 2 });
/** Tensors that are summed in one collective. */
const TENSORS = 12;
const PRODUCTS = 6;
const SIDE = 1024;

export const MAKE = 'make';

interface Parts {
  readonly dtype: DType;
  /** Of all tensors that are summed, on a rank; 0 for no sum. */
  readonly bytes: number;
  readonly hasProducts: boolean;
  readonly asynchronous: boolean;
}

/** Kernels make what is summed, and nothing else needs it; then come the sum and the products. */
export function gradientSum({ dtype, bytes, hasProducts, asynchronous }: Parts): Program {
  const builder = new Builder(PAIR);
  const parameter = (name: string, shape: readonly number[], type: DType, states = {}) => {
    const value = builder.value({ shape, dtype: type, states }, 'parameter', name);
    const initializer = { kind: 'normal', standardDeviation: 1 / 32 } as const;
    return { kind: 'parameter', value, name, group: 'body', initializer, decayed: false } as const;
  };
  const length = Math.floor(bytes / DTYPE_BYTES[dtype] / TENSORS);
  const inputs = Array.from({ length: bytes === 0 ? 0 : TENSORS }, (_, index) =>
    parameter(`${dtype}-${index}`, [length], dtype, { data: 'partial' }),
  );
  const made = inputs.map(({ value }, index) =>
    builder.emit('scale', [value], { factor: 2 }, { id: `${MAKE}/${index}`, phase: 'backward' }),
  );
  const sums =
    made.length === 0
      ? []
      : builder.emitAll('all_reduce', made, { axis: 'data' }, { id: 'sum', phase: 'backward', asynchronous });
  const matrix = parameter('matrix', [SIDE, SIDE], 'f32');
  let product = matrix.value;
  for (let index = 0; hasProducts && index < PRODUCTS; index++) {
    const plain = { transposeA: false, transposeB: false, scale: 1 };
    product = builder.emit('matmul', [product, matrix.value], plain, { id: `product/${index}`, phase: 'forward' });
  }
  const results = [...sums, ...(hasProducts ? [product] : [])];
  return verify(
    builder.finish(
      hasProducts ? [...inputs, matrix] : inputs,
      results.map((value, index) => ({ name: `gradient:${index}`, value })),
    ),
  );
}
