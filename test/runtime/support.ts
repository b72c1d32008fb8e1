/** Pools of reference ranks and the small programs that these tests run on them. Workers run from `dist/`. */
import { createMesh } from '../../src/mesh/index.js';
import type { AxisStates, Mesh } from '../../src/mesh/index.js';
import { Builder, verify } from '../../src/program/index.js';
import type { Attributes, CollectiveName, DType, Program, ValueId, ValueType } from '../../src/program/index.js';
import { createClock } from '../../src/runtime/clock.js';
import { DevicePool, Rank } from '../../src/runtime/index.js';
import type { PoolOptions, RankOptions } from '../../src/runtime/index.js';
import type { HostTensor } from '../../src/runtime/kernels/tensors.js';
import { stored } from '../../src/runtime/kernels/tensors.js';
import { createReferenceFamily } from '../../src/runtime/kernels/reference/index.js';
import { createTransportMemory, Transport } from '../../src/runtime/transport/index.js';

const WORKER = new URL('../../dist/src/cli/rank-worker.js', import.meta.url);

export const createPool = (mesh: Mesh, options: Partial<PoolOptions> = {}): Promise<DevicePool> =>
  DevicePool.create({
    mesh,
    family: 'reference',
    threadsPerRank: 1,
    workerUrl: WORKER,
    ...options,
  });

/** The one rank of a mesh, without axes unless given, on this thread. */
export function createSingleRank(options: Partial<Pick<RankOptions, 'mesh' | 'family' | 'keepsArrays'>> = {}): Rank {
  const mesh = options.mesh ?? createMesh({});
  const transport = new Transport(createTransportMemory(mesh, 1), 0);
  return new Rank({ mesh, rank: 0, family: createReferenceFamily(), transport, clock: createClock(), ...options });
}

export const tensorType = (shape: readonly number[], states: AxisStates = {}, dtype: DType = 'f64'): ValueType => ({
  shape,
  dtype,
  states,
});

/** Declares a parameter of zeros, which tests set or draw themselves. */
export function parameter(builder: Builder, name: string, type: ValueType) {
  const value = builder.value(type, 'parameter', name);
  const input = {
    kind: 'parameter',
    value,
    name,
    group: 'body',
    initializer: { kind: 'zeros' },
    decayed: false,
  } as const;
  return { value, input };
}

/** Parameters `PREFIX0`, `PREFIX1`, … through one collective, to outputs `gradient:0`, … */
export function collectiveProgram<N extends CollectiveName>(
  mesh: Mesh,
  name: N,
  attributes: Attributes[N],
  types: readonly ValueType[],
  prefix: string,
): Program {
  const builder = new Builder(mesh);
  const inputs = types.map((type, index) => parameter(builder, `${prefix}${index}`, type));
  const results: ValueId[] = builder.emitAll(
    name,
    inputs.map(({ value }) => value),
    attributes,
    { id: name, phase: 'forward' },
  );
  return verify(
    builder.finish(
      inputs.map(({ input }) => input),
      results.map((value, index) => ({ name: `gradient:${index}`, value })),
    ),
  );
}

/** Numbers that differ by element and rank; sums of them are exact in f32, unless `map` makes others of them. */
export const counting = (
  length: number,
  rank: number,
  dtype: DType,
  map: (value: number) => number = (value) => value,
): HostTensor =>
  stored(
    dtype,
    Float64Array.from({ length }, (_, index) => map(((index * 7 + rank * 131) % 1009) - 500)),
  );
