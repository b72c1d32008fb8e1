/**
 * Sums in WebAssembly with 128-bit SIMD: a module with a function for each type, made here from its instructions. It
 * reads two runs of elements in its own memory and leaves their sum where the first was; halves are added in float32
 * and rounded as `half.ts` does.
 */
import type { DType } from '../../program/index.js';
import type { Bytes, WasmFunction } from './assembler.js';
import { assemble, get, i32Add, i32Const, i32LessThan, PARAMETER, repeatWhile, set, tee, v128 } from './assembler.js';

/** Of each of the two runs: both fit into a core’s second cache. */
export const RUN_BYTES = 2 ** 15;
/** Bytes that one turn of a loop adds. What is beyond a run's last element is added as well, and never read. */
const TURN_BYTES = 64;

const ADDRESS = 1;
const VECTOR = 2;

/** @param add what adds the elements at `ADDRESS` + an offset to those a run further */
const loop = (name: DType, vectors: number, add: Bytes): WasmFunction => ({
  name,
  locals: { i32: 1, v128: vectors },
  body: repeatWhile(add, [
    ...get(ADDRESS),
    ...i32Const(TURN_BYTES),
    ...i32Add,
    ...tee(ADDRESS),
    ...get(PARAMETER),
    ...i32LessThan,
  ]),
});

const offsets = Array.from({ length: TURN_BYTES / 16 }, (_, index) => index * 16);
const address = get(ADDRESS);

const whole = (name: DType, add: (left: Bytes, right: Bytes) => Bytes): WasmFunction =>
  loop(
    name,
    0,
    offsets.flatMap((offset) =>
      v128.store(address, offset, add(v128.load(address, offset), v128.load(address, RUN_BYTES + offset))),
    ),
  );

interface Half {
  /** From bits of halves in the lower 16 of each lane to float32. `local` is free to use. */
  decode(bits: Bytes, local: number): Bytes;
  /** The other way, of the float32 lanes in `local`. */
  encode(local: number): Bytes;
}

const half = (name: DType, { decode, encode }: Half): WasmFunction => {
  const sum = (offset: number): Bytes => [
    ...v128.f32Add(
      decode(v128.load16x4(address, offset), VECTOR),
      decode(v128.load16x4(address, RUN_BYTES + offset), VECTOR),
    ),
    ...set(VECTOR),
    ...encode(VECTOR),
  ];
  return loop(
    name,
    1,
    offsets.flatMap((offset) => v128.store(address, offset, v128.narrow(sum(offset), sum(offset + 8)))),
  );
};

const { splat } = v128;

const BF16: Half = {
  decode: (bits) => v128.i32ShiftLeft(bits, 16),
  encode(local) {
    const upper = v128.i32ShiftRight(get(local), 16);
    const tie = v128.i32Add(splat(0x7fff), v128.and(upper, splat(1)));
    const rounded = v128.i32ShiftRight(v128.i32Add(get(local), tie), 16);
    return v128.select(v128.or(upper, splat(0x40)), rounded, v128.f32NotEqual(get(local), get(local)));
  },
};

/** 2¹¹² as a float32: a binary16's bits, moved to where a float32 has them, are a number that is smaller by this. */
const F16_SCALE = 0x77800000;
const F16_BIAS = 112 << 23;
/** Half a unit beyond the largest binary16, as a float32. */
const F16_OVERFLOW = 0x477ff000;
/** 2⁻¹⁴ as a float32, the smallest normal binary16. */
const F16_NORMAL = 0x38800000;
const ONE_HALF = 0x3f000000;
const INFINITY = 0x7f800000;

const F16: Half = {
  decode(bits, local) {
    const magnitude = v128.and(get(local), splat(0x7fff));
    const number = v128.f32Multiply(v128.i32ShiftLeft(magnitude, 13), splat(F16_SCALE));
    const special = v128.and(v128.i32GreaterSigned(magnitude, splat(0x7bff)), splat(INFINITY));
    const sign = v128.i32ShiftLeft(v128.and(get(local), splat(0x8000)), 16);
    return [...bits, ...set(local), ...v128.or(v128.or(number, special), sign)];
  },
  encode(local) {
    const magnitude = v128.and(get(local), splat(0x7fffffff));
    const sign = v128.and(v128.i32ShiftRight(get(local), 16), splat(0x8000));
    const tie = v128.and(v128.i32ShiftRight(magnitude, 13), splat(1));
    const normal = v128.i32ShiftRight(
      v128.i32Add(v128.i32Subtract(magnitude, splat(F16_BIAS)), v128.i32Add(splat(0xfff), tie)),
      13,
    );
    // Next to ½ the float32 numbers are as far apart as the subnormal halves.
    const subnormal = v128.i32Subtract(v128.f32Add(magnitude, splat(ONE_HALF)), splat(ONE_HALF));
    const finite = v128.select(normal, subnormal, v128.i32GreaterSigned(magnitude, splat(F16_NORMAL - 1)));
    const bounded = v128.select(splat(0x7c00), finite, v128.i32GreaterSigned(magnitude, splat(F16_OVERFLOW - 1)));
    const number = v128.select(splat(0x7e00), bounded, v128.f32NotEqual(get(local), get(local)));
    return v128.or(number, sign);
  },
};

const FUNCTIONS = [
  whole('f32', v128.f32Add),
  whole('f64', v128.f64Add),
  whole('i32', v128.i32Add),
  half('bf16', BF16),
  half('f16', F16),
];

/** What is used here of a global that TypeScript only declares for browsers. */
declare const WebAssembly: {
  validate(binary: Uint8Array): boolean;
  readonly Module: new (binary: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
};

/** A module's memory, and by type what adds the first `bytes` of the second run to the first; at least one byte. */
export interface SimdModule {
  readonly memory: ArrayBuffer;
  readonly add: Readonly<Record<DType, (bytes: number) => void>>;
}

/** @returns undefined where this engine has no SIMD */
export function createSimdModule(): SimdModule | undefined {
  const binary = assemble(FUNCTIONS, (2 * RUN_BYTES) / 2 ** 16 + 1);
  if (!WebAssembly.validate(binary)) return undefined;
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(binary));
  const { memory, ...add } = exports as { memory: { buffer: ArrayBuffer } } & SimdModule['add'];
  return { memory: memory.buffer, add };
}
