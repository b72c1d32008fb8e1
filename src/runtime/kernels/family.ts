/**
 * What a kernel family offers the executor: it compiles a kernel (the compute ops that one launch runs, never a
 * collective or a repeat) and runs it on plain arrays of host memory. How a family computes is its own business.
 */
import { MeshwrightError } from '../../errors.js';
import type { AxisName } from '../../mesh/index.js';
import { invalid } from '../../program/ops/index.js';
import type { DType, Op, ValueId, ValueType } from '../../program/types.js';
import { elementCount } from '../../program/types.js';

/** Never over a SharedArrayBuffer: onnxruntime refuses those. */
export type HostTensor = Float32Array | Float64Array | Int32Array;

export interface KernelSpec {
  readonly ops: readonly Op[];
  /** Every value that the ops use and do not compute themselves. */
  readonly operands: readonly ValueId[];
  /** May name an operand, or the same value twice. */
  readonly results: readonly ValueId[];
  type(value: ValueId): ValueType;
  /** The rank's place along an axis, 0 where the mesh lacks it. */
  coordinate(axis: AxisName): number;
}

export interface CompiledKernel {
  /**
   * @returns one array for each of the spec's results, in their order; a scalar has length 1. No two of them, and none
   *   of the operands, share memory, and they stay valid after the next run.
   * @throws MeshwrightError DEVICE_FAILED naming the kernel's first op
   */
  run(operands: readonly HostTensor[]): Promise<HostTensor[]>;
}

export type FamilyName = 'onnx' | 'reference';

export interface KernelFamily {
  readonly name: FamilyName;
  readonly dtypes: readonly DType[];
  /**
   * Kernels of equal structure are compiled once.
   *
   * @throws MeshwrightError DTYPE_UNSUPPORTED where a value's type is not one of `dtypes`, DEVICE_FAILED where the
   *   tensor library refuses the kernel
   */
  compile(spec: KernelSpec): Promise<CompiledKernel>;
  /** Frees what was compiled; nothing may run after it. */
  dispose(): Promise<void>;
}

/** bf16 and f16 are for simulated chips: no family here computes in them. */
export const FAMILY_DTYPES = {
  onnx: ['f32'],
  reference: ['f64', 'f32'],
} as const satisfies Record<FamilyName, readonly DType[]>;

/** The kernel as messages name it. */
export const kernelName = (spec: KernelSpec): string => spec.ops[0]?.id ?? '(empty kernel)';

/** @throws MeshwrightError DTYPE_UNSUPPORTED naming the families that have the type */
export function requireDtype(family: FamilyName, dtype: DType, place: string): void {
  const supports = (name: FamilyName): boolean => (FAMILY_DTYPES[name] as readonly DType[]).includes(dtype);
  if (supports(family)) return;
  const others = (Object.keys(FAMILY_DTYPES) as FamilyName[]).filter(supports);
  throw new MeshwrightError('DTYPE_UNSUPPORTED', {
    place,
    expected: `one of ${FAMILY_DTYPES[family].join(', ')} (kernel family ${family})`,
    got: dtype,
    hint: others.length === 0 ? 'no kernel family computes in it' : `${others.join(' and ')} computes in it`,
  });
}

/** The kind of array that elements of a type are held in. Only for types that a family has. */
const arrayOf = (dtype: DType) => (dtype === 'f64' ? Float64Array : dtype === 'i32' ? Int32Array : Float32Array);

export const allocate = (dtype: DType, length: number): HostTensor => new (arrayOf(dtype))(length);

/** A tensor that covers a block of memory. */
export const tensorOver = (dtype: DType, buffer: ArrayBuffer): HostTensor => new (arrayOf(dtype))(buffer);

/** Whether an array is of the kind that elements of a type are held in. */
export const isHeldAs = (dtype: DType, array: unknown): array is HostTensor => array instanceof arrayOf(dtype);

/** @throws MeshwrightError INTERNAL where an operand is not what its type says */
export function requireOperands(place: string, types: readonly ValueType[], operands: readonly HostTensor[]): void {
  if (operands.length !== types.length) {
    throw new MeshwrightError('INTERNAL', {
      place,
      expected: `${types.length} operands`,
      got: String(operands.length),
    });
  }
  types.forEach(({ shape, dtype }, index) => {
    const operand = operands[index]!;
    const got = operand instanceof Float64Array ? 'f64' : operand instanceof Int32Array ? 'i32' : 'f32';
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

/**
 * A canonical text of what a kernel computes: ops, attributes, local shapes and types, with values renumbered in the
 * order they appear. Kernels with the same text compute the same function of their operands.
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
    lines.push(`${op.results.map(define).join(' ')} = ${op.name} ${operands} ${formatAttribute(op.attributes)}`);
  }
  lines.push(`results ${spec.results.map(use).join(' ')}`);
  return lines.join('\n');
}
