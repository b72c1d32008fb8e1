/** Element types. */
export const DTYPES = ['f64', 'f32', 'bf16', 'f16'] as const;
export type DType = (typeof DTYPES)[number];
export const DTYPE_BYTES: Readonly<Record<DType, number>> = { f64: 8, f32: 4, bf16: 2, f16: 2 };
