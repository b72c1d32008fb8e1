import type { AxisStates } from '../../../src/mesh/index.js';
import { createMesh } from '../../../src/mesh/index.js';
import { recordOf } from '../../../src/program/ops/index.js';
import type { Attributes, ComputeName } from '../../../src/program/ops/index.js';
import type { DType, Op, ValueId, ValueType } from '../../../src/program/types.js';
import { elementCount } from '../../../src/program/types.js';
import type { HostTensor, KernelFamily, KernelSpec } from '../../../src/runtime/kernels/family.js';
import type { Numbers } from '../../../src/runtime/kernels/tensors.js';

export const single = createMesh({});

/** Four ranks in a row, for ops that compute another part on each. */
const line = createMesh({ model: 4 });

export const type = (shape: readonly number[], dtype: DType = 'f64', states: AxisStates = {}): ValueType => ({
  shape,
  dtype,
  states,
});

/** Builds a kernel op by op, with result types by the ops' records. */
export class KernelBuilder {
  readonly types: ValueType[] = [];
  readonly ops: Op[] = [];
  readonly operands: ValueId[] = [];

  /** `firstId`: value ids start here, to tell structure from numbering. */
  constructor(
    readonly dtype: DType,
    readonly firstId = 0,
    readonly prefix = 'op',
    /** The rank's place along every axis. */
    readonly coordinate = 0,
  ) {}

  #define(valueType: ValueType): ValueId {
    this.types.push(valueType);
    return this.firstId + this.types.length - 1;
  }

  operand(shape: readonly number[], dtype = this.dtype, states: AxisStates = {}): ValueId {
    const id = this.#define(type(shape, dtype, states));
    this.operands.push(id);
    return id;
  }

  all<N extends ComputeName>(name: N, operands: readonly ValueId[], attributes: Attributes[N]): ValueId[] {
    const operandTypes = operands.map((id) => this.type(id));
    const results = recordOf(name)
      .infer(operandTypes, attributes, line)
      .map((result) => this.#define(result));
    this.ops.push({ name, id: `${this.prefix}/${this.ops.length}`, phase: 'forward', operands, results, attributes });
    return results;
  }

  emit<N extends ComputeName>(name: N, operands: readonly ValueId[], attributes: Attributes[N]): ValueId {
    return this.all(name, operands, attributes)[0]!;
  }

  type(id: ValueId): ValueType {
    return this.types[id - this.firstId]!;
  }

  spec(results: readonly ValueId[]): KernelSpec {
    return {
      ops: this.ops,
      operands: this.operands,
      results,
      type: (id) => this.type(id),
      coordinate: () => this.coordinate,
    };
  }
}

/** Numbers in [0, 1) from a seed (mulberry32). */
export function uniforms(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Standard normal numbers (Box and Muller 1958). */
export function normals(seed: number): () => number {
  const next = uniforms(seed);
  return () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
}

/** Numbers that float32 holds exactly, so that both families start from the same ones. */
export const filled = (shape: readonly number[], next: () => number): Float64Array =>
  Float64Array.from({ length: elementCount(shape) }, () => Math.fround(next()));

/** ‖got − expected‖ / ‖expected‖. */
export function relativeError(got: Numbers, expected: Numbers): number {
  if (got.length !== expected.length) throw new Error(`expected ${expected.length} elements, got ${got.length}`);
  let difference = 0;
  let size = 0;
  expected.forEach((value, index) => {
    difference += (got[index]! - value) ** 2;
    size += value ** 2;
  });
  return difference === 0 ? 0 : Math.sqrt(difference / size);
}

/** Compiles and runs a kernel once. */
export async function compute(
  family: KernelFamily,
  spec: KernelSpec,
  operands: readonly HostTensor[],
): Promise<HostTensor[]> {
  return (await family.compile(spec)).run(operands);
}
