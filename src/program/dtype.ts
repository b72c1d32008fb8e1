/** Element types. `i32` holds token ids; everything that is computed with is a float. */
export const FLOATS = ['f64', 'f32', 'bf16', 'f16'] as const;
export const DTYPES = [...FLOATS, 'i32'] as const;
export type FloatType = (typeof FLOATS)[number];
export type DType = (typeof DTYPES)[number];
export const DTYPE_BYTES: Readonly<Record<DType, number>> = { f64: 8, f32: 4, bf16: 2, f16: 2, i32: 4 };
/** Types whose sums and means are taken in f32. */
export const isHalf = (dtype: DType): boolean => dtype === 'bf16' || dtype === 'f16';
