/**
 * What a kernel family offers the executor: it compiles a kernel (the compute ops that one launch runs, never a
 * collective or a repeat) and runs it on plain arrays of host memory. How a family computes is its own business. One whose
 * tensors are not such arrays may keep results as they are, for kernels that follow: what crosses is then only what
 * something else than a kernel reads.
 */
import { MeshwrightError } from '../../errors.js';
import type { AxisName } from '../../mesh/index.js';
import { zigzagChunks } from '../../mesh/index.js';
import type { TokenDeal } from '../../program/ops/index.js';
import { invalid } from '../../program/ops/index.js';
import type { DType, Op, ValueId, ValueType } from '../../program/types.js';
import { elementCount } from '../../program/types.js';
import type { FamilyName } from './families.js';
import { FAMILY_NAMES, familyRow } from './families.js';
import type { DeviceTensor, HostTensor } from './tensors.js';
import { dtypeOf } from './tensors.js';

export type { FamilyName } from './families.js';
export type { DeviceTensor, HostTensor } from './tensors.js';
export { allocate } from './tensors.js';

export interface KernelSpec {
  readonly ops: readonly Op[];
  /** Every value that the ops use and do not compute themselves. */
  readonly operands: readonly ValueId[];
  /** May name an operand, or the same value twice. */
  readonly results: readonly ValueId[];
  type(value: ValueId): ValueType;
  /** The rank's place along an axis, for ops that compute another part on each rank. */
  coordinate(axis: AxisName): number;
}

/** Ops on a table of rows, or of classes, that may be dealt over an axis. */
export type TableOp = 'embedding' | 'embedding_backward' | 'token_cross_entropy' | 'token_cross_entropy_backward';

/** The rank's place along the axis that an op's parts are dealt over; 0 where it has the whole. */
export const coordinateOf = ({ axis }: { readonly axis?: AxisName }, coordinate: KernelSpec['coordinate']): number =>
  axis === undefined ? 0 : coordinate(axis);

/** The places in the whole sequence of the tokens that the rank at `index` of an axis has, in its order. */
const positionsOf = (count: number, { parts }: TokenDeal, index: number): number[] =>
  zigzagChunks(index, parts).flatMap((chunk) =>
    Array.from({ length: count / 2 }, (_, token) => (chunk * count) / 2 + token),
  );

/** The places of a rank's own `count` tokens in the whole sequence, and of those of all ranks, one after the other. */
export function tokenPlaces(
  count: number,
  tokens: TokenDeal | undefined,
  coordinate: KernelSpec['coordinate'],
): { readonly own: readonly number[]; readonly all: readonly number[] } {
  if (tokens === undefined) {
    const all = Array.from({ length: count }, (_, token) => token);
    return { own: all, all };
  }
  const byRank = Array.from({ length: tokens.parts }, (_, index) => positionsOf(count, tokens, index));
  return { own: byRank[coordinate(tokens.axis)]!, all: byRank.flat() };
}

export interface CompiledKernel {
  /**
   * @param results arrays to fill, one for each of the spec's results; new ones unless given. One of them may be the
   *   operand whose memory the result takes over (`IN_PLACE`), where no other op of the kernel reads it.
   * @returns the results, in their order; a scalar has length 1. No two of them share memory, none does with an operand
   *   but for those taken over, and they stay valid after the next run.
   * @throws MeshwrightError DEVICE_FAILED naming the kernel's first op
   */
  run(operands: readonly HostTensor[], results?: readonly HostTensor[]): Promise<HostTensor[]>;
  /**
   * The same on tensors of the device, where the family keeps any. It is over when the device is done, so that the time
   * it takes is the kernel's.
   *
   * @param operands arrays are not read once it is over, nor by what it gives
   * @param spent which of the operands on the device end here: their memory is free as soon as the last op has read them
   * @returns the results, in their order, each to be disposed by itself
   */
  runOnDevice?(operands: readonly (HostTensor | DeviceTensor)[], spent: readonly boolean[]): Promise<DeviceTensor[]>;
}

/** What will compute in a process: so many ranks, each on so many cores. */
export interface ProcessThreads {
  readonly ranks: number;
  readonly threadsPerRank: number;
}

export interface KernelFamily {
  readonly name: FamilyName;
  /** What it computes on, as the library that does it calls it. */
  readonly device: string;
  /**
   * Kernels of equal structure are compiled once.
   *
   * @throws MeshwrightError DTYPE_UNSUPPORTED where a value's type is not one of the family's, DEVICE_FAILED where the
   *   tensor library refuses the kernel
   */
  compile(spec: KernelSpec): Promise<CompiledKernel>;
  /** Frees what was compiled; nothing may run after it. */
  dispose(): Promise<void>;
}

/** The kernel as messages name it. */
export const kernelName = (spec: KernelSpec): string => spec.ops[0]?.id ?? '(empty kernel)';

/** @throws MeshwrightError DTYPE_UNSUPPORTED naming the families that have the type */
export function requireDtype(family: FamilyName, dtype: DType, place: string): void {
  const supports = (name: FamilyName): boolean => familyRow(name).dtypes.includes(dtype);
  if (supports(family)) return;
  const others = FAMILY_NAMES.filter(supports);
  throw new MeshwrightError('DTYPE_UNSUPPORTED', {
    place,
    expected: `one of ${familyRow(family).dtypes.join(', ')} (kernel family ${family})`,
    got: dtype,
    hint: others.length === 0 ? 'no kernel family computes in it' : `${others.join(' and ')} computes in it`,
  });
}

/** @throws MeshwrightError INTERNAL where an operand is not what its type says */
export function requireOperands(
  place: string,
  types: readonly ValueType[],
  operands: readonly (HostTensor | DeviceTensor)[],
): void {
  if (operands.length !== types.length) {
    throw new MeshwrightError('INTERNAL', {
      place,
      expected: `${types.length} operands`,
      got: String(operands.length),
    });
  }
  types.forEach(({ shape, dtype }, index) => {
    const operand = operands[index]!;
    const got = dtypeOf(operand);
    if (got !== dtype || operand.length !== elementCount(shape)) {
      throw new MeshwrightError('INTERNAL', {
        place: `${place}, operand ${index}`,
        expected: `${elementCount(shape)} elements of ${dtype}`,
        got: `${operand.length} of ${got}`,
      });
    }
  });
}

/** Attributes in a fixed order of keys. States are left out: what a rank computes does not depend on them. */
function formatAttribute(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(formatAttribute).join(',')}]`;
  if (typeof value !== 'object' || value === null) return String(value);
  const entries = Object.entries(value).filter(([key]) => key !== 'states');
  return `{${entries
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, inner]) => `${key}:${formatAttribute(inner)}`)
    .join(',')}}`;
}

/** The axis along which ranks compute other parts. */
function placedAlong(attributes: Op['attributes']): AxisName | undefined {
  if ('axis' in attributes) return attributes.axis;
  return 'tokens' in attributes ? attributes.tokens?.axis : undefined;
}

/**
 * A canonical text of what a kernel computes: ops, attributes, local shapes and types, and the rank's place along an
 * axis that an op names, with values renumbered in the order they appear. Kernels with the same text compute the same
 * function of their operands.
 *
 * @throws MeshwrightError PROGRAM_INVALID where a value is neither an operand nor computed before its use
 */
export function structureKey(spec: KernelSpec): string {
  const numbers = new Map<ValueId, number>();
  const define = (id: ValueId): string => {
    if (!numbers.has(id)) numbers.set(id, numbers.size);
    const { shape, dtype } = spec.type(id);
    return `%${numbers.get(id)}:${dtype}[${shape.join(',')}]`;
  };
  const use = (id: ValueId): string => {
    const number = numbers.get(id);
    if (number === undefined)
      throw invalid(kernelName(spec), 'an operand or a value computed before its use', `%${id}`);
    return `%${number}`;
  };
  const lines = [`operands ${spec.operands.map(define).join(' ')}`];
  for (const op of spec.ops) {
    const operands = op.operands.map(use).join(' ');
    const axis = placedAlong(op.attributes);
    const place = axis === undefined ? '' : ` at ${spec.coordinate(axis)}`;
    lines.push(
      `${op.results.map(define).join(' ')} = ${op.name} ${operands} ${formatAttribute(op.attributes)}${place}`,
    );
  }
  lines.push(`results ${spec.results.map(use).join(' ')}`);
  return lines.join('\n');
}
