/** As much of WebAssembly's binary format as a module takes that has one memory and functions that walk over it. */

export type Bytes = readonly number[];

/** Unsigned LEB128. */
export function unsigned(value: number): number[] {
  const low = value & 0x7f;
  return value < 0x80 ? [low] : [low | 0x80, ...unsigned(value >>> 7)];
}

/** Signed LEB128 of 32 bits. */
export function signed(value: number): number[] {
  const low = value & 0x7f;
  const isLast = value >= -64 && value < 64;
  return isLast ? [low] : [low | 0x80, ...signed(value >> 7)];
}

const list = (items: readonly Bytes[]): Bytes => [...unsigned(items.length), ...items.flat()];
const text = (name: string): Bytes => list([...new TextEncoder().encode(name)].map((byte) => [byte]));
const section = (id: number, content: Bytes): Bytes => [id, ...unsigned(content.length), ...content];

const I32 = 0x7f;
const V128 = 0x7b;

/** A function of one i32, `PARAMETER`, that gives nothing. */
export interface WasmFunction {
  readonly name: string;
  /** Locals of v128 follow those of i32, which follow the parameter. */
  readonly locals: { readonly i32: number; readonly v128: number };
  readonly body: Bytes;
}

/** @param pages of 64 KiB in the memory, which is exported as `memory` */
export function assemble(functions: readonly WasmFunction[], pages: number): Uint8Array<ArrayBuffer> {
  const END = 0x0b;
  const code = functions.map(({ locals, body }) => {
    const declared = list([
      [...unsigned(locals.i32), I32],
      [...unsigned(locals.v128), V128],
    ]);
    const content = [...declared, ...body, END];
    return [...unsigned(content.length), ...content];
  });
  const exports = [
    [...text('memory'), 2, 0],
    ...functions.map(({ name }, index) => [...text(name), 0, ...unsigned(index)]),
  ];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, list([[0x60, ...list([[I32]]), ...list([])]])),
    ...section(3, list(functions.map(() => [0]))),
    ...section(5, list([[1, ...unsigned(pages), ...unsigned(pages)]])),
    ...section(7, list(exports)),
    ...section(10, list(code)),
  ]);
}

/** The only parameter's index among locals. */
export const PARAMETER = 0;

export const get = (local: number): Bytes => [0x20, ...unsigned(local)];
export const set = (local: number): Bytes => [0x21, ...unsigned(local)];
export const tee = (local: number): Bytes => [0x22, ...unsigned(local)];
export const i32Const = (value: number): Bytes => [0x41, ...signed(value)];
export const i32Add: Bytes = [0x6a];

/** Repeats as long as `condition` leaves something else than 0. */
export const repeatWhile = (body: Bytes, condition: Bytes): Bytes => [0x03, 0x40, ...body, ...condition, 0x0d, 0, 0x0b];
export const i32LessThan: Bytes = [0x49];

const vector = (opcode: number): Bytes => [0xfd, ...unsigned(opcode)];
/** At an address plus `offset`, both multiples of 16. */
const at = (offset: number): Bytes => [4, ...unsigned(offset)];

/** One operand and the opcode behind it, as the stack machine takes them. */
const binary =
  (opcode: number) =>
  (left: Bytes, right: Bytes): Bytes => [...left, ...right, ...vector(opcode)];
/** By a number of bits. */
const shift =
  (opcode: number) =>
  (value: Bytes, bits: number): Bytes => [...value, ...i32Const(bits), ...vector(opcode)];

/** Four lanes of 32 bits, or eight of 16, or two of 64. */
export const v128 = {
  load: (address: Bytes, offset: number): Bytes => [...address, ...vector(0x00), ...at(offset)],
  /** Four lanes of 16 bits, widened with zeros to 32; `offset` may be a multiple of 8. */
  load16x4: (address: Bytes, offset: number): Bytes => [...address, ...vector(0x04), 3, ...unsigned(offset)],
  store: (address: Bytes, offset: number, value: Bytes): Bytes => [
    ...address,
    ...value,
    ...vector(0x0b),
    ...at(offset),
  ],
  /** The same 32 bits in each lane. */
  splat: (word: number): Bytes => {
    const lane = [word & 0xff, (word >>> 8) & 0xff, (word >>> 16) & 0xff, word >>> 24];
    return [...vector(0x0c), ...lane, ...lane, ...lane, ...lane];
  },
  /** Where a bit of `mask` is set the bit of `whenSet`. */
  select: (whenSet: Bytes, otherwise: Bytes, mask: Bytes): Bytes => [
    ...whenSet,
    ...otherwise,
    ...mask,
    ...vector(0x52),
  ],
  and: binary(0x4e),
  or: binary(0x50),
  i32GreaterSigned: binary(0x3b),
  i32ShiftLeft: shift(0xab),
  i32ShiftRight: shift(0xad),
  i32Add: binary(0xae),
  i32Subtract: binary(0xb1),
  /** Eight lanes of 16 bits from twice four of 32, which are taken as signed and held to what 16 unsigned bits have. */
  narrow: binary(0x86),
  f32Add: binary(0xe4),
  f32Multiply: binary(0xe6),
  f32NotEqual: binary(0x42),
  f64Add: binary(0xf0),
} as const;
