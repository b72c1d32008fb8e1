/**
 * Measures this machine's devices by running small programs on them, all ranks at once, as a training step would:
 * every matmul of the jobs in question at its own shape, memory-bound and arithmetic-bound ops, empty kernels, and
 * all-reduces of several sizes. Each op is a kernel of its own; the time of one is the first quartile over rounds and ranks.
 */
import { quantile } from 'simple-statistics';
import type { AxisName, Mesh } from '../mesh/index.js';
import { axisSize, createMesh, normalizeStates, rankCount } from '../mesh/index.js';
import type { Attributes, ComputeName, DType, Op, Program, ValueId, ValueType } from '../program/index.js';
import { Builder, collectiveBytes, elementCount, forEachOp, recordOf, typeBytes } from '../program/index.js';
import type { MatmulWork } from '../program/index.js';
import { DevicePool } from '../runtime/index.js';
import type { FamilyName } from '../runtime/index.js';

/** A matmul as a program has it, to be timed alone. */
export interface MatmulProbe {
  readonly name: 'matmul' | 'matmul_weight_gradient';
  readonly attributes: Attributes['matmul'] | Attributes['matmul_weight_gradient'];
  readonly shapes: readonly (readonly number[])[];
}

export interface MeasureRequest {
  readonly ranks: number;
  readonly family: FamilyName;
  readonly threadsPerRank: number;
  readonly dtype: DType;
  readonly matmuls: readonly MatmulProbe[];
  /** Size of the tensors that memory-bound and arithmetic-bound ops are timed on. */
  readonly elements: number;
  readonly rounds: number;
  readonly workerUrl: URL;
  /** See `PoolOptions`. */
  readonly diaryFile: number | undefined;
}

export interface Measurements {
  readonly matmuls: readonly (MatmulWork & { readonly seconds: number })[];
  /** An addition: bytes read and written. */
  readonly memory: readonly { readonly bytes: number; readonly seconds: number }[];
  /** A GELU, whose arithmetic takes longer than its memory traffic. */
  readonly vector: readonly { readonly flops: number; readonly seconds: number }[];
  /** Kernels of one and of many trivial ops. */
  readonly launches: readonly { readonly ops: number; readonly seconds: number }[];
  /** `messages` is how many times a rank waits for its neighbour. */
  readonly collectives: readonly { readonly messages: number; readonly bytes: number; readonly seconds: number }[];
}

/** The different matmuls of programs, by op, transposes and shapes. */
export function matmulProbes(programs: readonly Program[]): MatmulProbe[] {
  const found = new Map<string, MatmulProbe>();
  for (const program of programs) {
    forEachOp(program.ops, (op) => {
      if (op.name !== 'matmul' && op.name !== 'matmul_weight_gradient') return;
      const shapes = op.operands.slice(0, 2).map((id) => program.values[id]!.type.shape);
      const attributes = op.attributes as MatmulProbe['attributes'];
      const probe = { name: op.name, attributes, shapes };
      found.set(JSON.stringify([op.name, shapes, attributes]), probe);
    });
  }
  return [...found.values()];
}

/** The largest activation of programs: what their elementwise ops run on is of its size or a few times smaller. */
export const largestActivation = (programs: readonly Program[]): number =>
  Math.max(
    ...programs.flatMap(({ values }) =>
      values.map(({ type, role }) =>
        role === 'activation' && type.stack === undefined ? elementCount(type.shape) : 0,
      ),
    ),
  );

const FEW_ELEMENTS = 16;
const CHAIN = 32;
const REDUCED_ELEMENTS = [2 ** 6, 2 ** 12, 2 ** 16, 2 ** 20, 2 ** 22];

class Probes {
  readonly builder: Builder;
  readonly #parameters = new Map<string, ValueId>();
  readonly inputs: Program['inputs'][number][] = [];
  readonly #dtype: DType;

  constructor(mesh: Mesh, dtype: DType) {
    this.builder = new Builder(mesh);
    this.#dtype = dtype;
  }

  /** A random tensor of a shape, shared by the probes that want one like it. */
  tensor(shape: readonly number[], slot: number): ValueId {
    const name = `${slot}:${shape.join('x')}`;
    const known = this.#parameters.get(name);
    if (known !== undefined) return known;
    const value = this.builder.value({ shape, dtype: this.#dtype, states: {} }, 'parameter', name);
    this.inputs.push({
      kind: 'parameter',
      value,
      name,
      group: 'body',
      initializer: { kind: 'normal', standardDeviation: 1 },
      decayed: false,
    });
    this.#parameters.set(name, value);
    return value;
  }

  op<N extends ComputeName>(name: N, operands: readonly ValueId[], attributes: Attributes[N], id: string): ValueId {
    return this.builder.emit(name, operands, attributes, { id, phase: 'forward' });
  }

  /** A kernel of several ops, each the scale of the one before. */
  chain(length: number, id: string): void {
    const first = this.tensor([FEW_ELEMENTS], 0);
    const { ops } = this.builder.block(() => {
      let value = first;
      for (let index = 0; index < length; index++)
        value = this.op('scale', [value], { factor: 1.0001 }, `${id}/${index}`);
    });
    const results = ops.at(-1)!.results;
    const region = { args: [], ops, results: [] };
    this.builder.push({
      name: 'kernel',
      id,
      phase: 'forward',
      operands: [first],
      results,
      attributes: {},
      region,
    } as Op);
  }

  /** An all-reduce of a pending sum: a parameter declared partial, which its values need not be. */
  allReduce(elements: number, axis: AxisName, id: string): ValueType {
    const type: ValueType = {
      shape: [elements],
      dtype: this.#dtype,
      states: normalizeStates(this.builder.mesh, { [axis]: 'partial' }),
    };
    const source = this.builder.emit('constant', [], { ...type, value: 1 }, { id: `${id}/source`, phase: 'forward' });
    this.builder.emit('all_reduce', [source], { axis }, { id, phase: 'reduce' });
    return type;
  }
}

/**
 * @param emit what is being measured, for people
 * @throws MeshwrightError DEVICE_FAILED, RANK_FAILED
 */
export async function measureDevices(
  request: MeasureRequest,
  emit: (what: string) => void,
  signal: AbortSignal,
): Promise<Measurements> {
  const { ranks, dtype, rounds, elements } = request;
  const axis = 'data';
  const mesh = createMesh({ [axis]: ranks });
  const probes = new Probes(mesh, dtype);
  const works = request.matmuls.map(({ name, attributes, shapes }, index) => {
    const operands = shapes.map((shape, slot) => probes.tensor(shape, slot));
    const id = `matmul/${index}`;
    const result = probes.op(name as 'matmul', operands, attributes as Attributes['matmul'], id);
    const types = operands.map((operand) => probes.builder.type(operand));
    const { matmul } = recordOf(name as 'matmul').work(
      types,
      [probes.builder.type(result)],
      attributes as Attributes['matmul'],
    );
    return { id, work: matmul! };
  });
  probes.op('add', [probes.tensor([elements], 0), probes.tensor([elements], 1)], {}, 'memory');
  const input = probes.tensor([elements], 0);
  const gelu = probes.op('gelu', [input], {}, 'vector');
  const geluFlops = recordOf('gelu').work([probes.builder.type(input)], [probes.builder.type(gelu)], {}).vectorFlops;
  probes.chain(1, 'launch/one');
  probes.chain(CHAIN, 'launch/many');
  const reductions =
    ranks === 1
      ? []
      : REDUCED_ELEMENTS.map((size) => ({
          id: `reduce/${size}`,
          type: probes.allReduce(size, axis, `reduce/${size}`),
        }));
  const program = probes.builder.finish(probes.inputs, []);

  emit(`compiling ${works.length} matmul shapes on ${ranks} ranks`);
  const pool = await DevicePool.create({
    mesh,
    family: request.family,
    threadsPerRank: request.threadsPerRank,
    workerUrl: request.workerUrl,
    diaryFile: request.diaryFile,
  });
  const durations = new Map<string, number[]>();
  try {
    await pool.load('probes', program);
    await pool.initialize(1);
    for (let round = 0; round <= rounds; round++) {
      emit(`round ${round} of ${rounds}`);
      const { spans } = await pool.run('probes', { signal });
      // The first round faults in memory and warms caches.
      if (round === 0) continue;
      for (const { id, start, end } of spans.flat()) durations.set(id, [...(durations.get(id) ?? []), end - start]);
    }
  } finally {
    await pool.close();
  }
  // What else runs on the machine only ever adds time, so the faster rounds say what the device can do; how much it
  // is disturbed at work is for calibration to find.
  const secondsOf = (id: string): number => quantile(durations.get(id)!, 0.25);
  const large = typeBytes({ shape: [elements], dtype, states: {} });
  return {
    matmuls: works.map(({ id, work }) => ({ ...work, seconds: secondsOf(id) })),
    memory: [{ bytes: 3 * large, seconds: secondsOf('memory') }],
    vector: [{ flops: geluFlops, seconds: secondsOf('vector') }],
    launches: [
      { ops: 1, seconds: secondsOf('launch/one') },
      { ops: CHAIN, seconds: secondsOf('launch/many') },
    ],
    collectives: reductions.map(({ id, type }) => ({
      messages: 2 * (axisSize(mesh, axis) - 1),
      bytes: collectiveBytes('all_reduce', [type], rankCount(mesh)),
      seconds: secondsOf(id),
    })),
  };
}
