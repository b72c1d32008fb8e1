/** The program that times probes: each op is a kernel of its own, run once to have its data in the caches, then timed. */
import type { AxisName, AxisState, Mesh } from '../mesh/index.js';
import { normalizeStates } from '../mesh/index.js';
import type { Attributes, ComputeName, DType, Op, Program, ValueId, ValueType } from '../program/index.js';
import { Builder } from '../program/index.js';
import type { OpProbe } from './probes.js';

export const AXIS: AxisName = 'data';

/** Beside all probes, again and again: what it takes says how fast the machine is meanwhile. */
export const REFERENCE: OpProbe = {
  name: 'matmul',
  attributes: { transposeA: false, transposeB: false, scale: 1 },
  operands: [
    { shape: [256, 256], dtype: 'f32' },
    { shape: [256, 256], dtype: 'f32' },
  ],
};
/** So many probes after the last one. */
const REFERENCE_EVERY = 16;

/** Ids of spans. A probe's is its place in the list. */
export const probeId = (index: number): string => `probe/${index}`;
export const REFERENCE_ID = 'reference';

/** Kernels that say what a launch is made of. */
export const LAUNCHES = {
  /** One op on few numbers. */
  one: { chain: 1, elements: 16, beside: 1 },
  /** The same, one op after the other. */
  chain: { chain: 33, elements: 16, beside: 1 },
  /** The same side by side, each with an operand and a result of its own. */
  ports: { chain: 1, elements: 16, beside: 24 },
  /** On so many numbers that copying them in and out would show. */
  large: { chain: 1, elements: 2 ** 18, beside: 1 },
  largeChain: { chain: 5, elements: 2 ** 18, beside: 1 },
} as const;
export type LaunchName = keyof typeof LAUNCHES;
export const LAUNCH_NAMES = Object.keys(LAUNCHES) as LaunchName[];
export const launchId = (name: LaunchName): string => `launch/${name}`;

/** Products with and without a matrix that they are added to: [rows, inner] by [inner, row]. */
export const ADDENDS = {
  small: { elements: 128 * 128, inner: 64, row: 128 },
  large: { elements: 512 * 512, inner: 64, row: 512 },
} as const;
export type AddendName = keyof typeof ADDENDS;
export const ADDEND_NAMES = Object.keys(ADDENDS) as AddendName[];
export const addendId = (name: AddendName, isAdded: boolean): string => `addend/${name}/${isAdded ? 'added' : 'plain'}`;

function addendProbe({ elements, inner, row }: (typeof ADDENDS)[AddendName], isAdded: boolean): OpProbe {
  const rows = elements / row;
  const shapes = [[rows, inner], [inner, row], ...(isAdded ? [[rows, row]] : [])];
  return { ...REFERENCE, operands: shapes.map((shape) => ({ shape, dtype: 'f32' })) };
}

export const MEASURED_COLLECTIVES = ['all_reduce', 'all_gather', 'reduce_scatter'] as const;
export type MeasuredCollective = (typeof MEASURED_COLLECTIVES)[number];
/** Of the whole tensor. */
export const EXCHANGED_ELEMENTS = [2 ** 6, 2 ** 12, 2 ** 16, 2 ** 18, 2 ** 20];
export const collectiveId = (name: MeasuredCollective, elements: number): string => `${name}/${elements}`;

/** Ranks compute so many kernels and sum so many elements, so many times. */
export interface Meeting {
  readonly kernels: number;
  readonly elements: (typeof EXCHANGED_ELEMENTS)[number];
  readonly times: number;
}
export const MEETINGS: readonly Meeting[] = [
  { kernels: 1, elements: 2 ** 6, times: 6 },
  { kernels: 8, elements: 2 ** 6, times: 3 },
  { kernels: 64, elements: 2 ** 6, times: 1 },
  // Of more ranks than cores, some compute while others exchange: a large message takes turns too.
  { kernels: 8, elements: 2 ** 18, times: 3 },
];
/** By each of its kernels. */
const COMPUTED_ELEMENTS = 2 ** 14;
export const meetingId = ({ kernels, elements }: Meeting): string => `meeting/${kernels}/${elements}`;
/** Of each of its kernels. */
export const meetingKernelId = (meeting: Meeting): string => `${meetingId(meeting)}/kernel`;
/** Parts the id of what is timed from which time it is. */
const TIME = '~';
/** Spans of the same are timed together. */
export const timedAs = (spanId: string): string => spanId.split(TIME)[0]!;

class ProbeBuilder {
  readonly builder: Builder;
  readonly inputs: Program['inputs'][number][] = [];
  readonly #parameters = new Map<string, ValueId>();

  constructor(mesh: Mesh) {
    this.builder = new Builder(mesh);
  }

  /** A tensor of ones, shared by the probes that want one like it; ids are all the same. */
  tensor(shape: readonly number[], dtype: DType, slot: number): ValueId {
    const name = `${dtype}${slot}:${shape.join('x')}`;
    const known = this.#parameters.get(name);
    if (known !== undefined) return known;
    const type = { shape, dtype, states: {} };
    const value =
      dtype === 'i32'
        ? this.builder.emit('constant', [], { ...type, value: 1 }, { id: `ids/${name}`, phase: 'forward' })
        : this.builder.value(type, 'parameter', name);
    if (dtype !== 'i32')
      this.inputs.push({
        kind: 'parameter',
        value,
        name,
        group: 'body',
        initializer: { kind: 'ones' },
        decayed: false,
      });
    this.#parameters.set(name, value);
    return value;
  }

  probe({ name, attributes, operands }: OpProbe, id: string): void {
    const ids = operands.map(({ shape, dtype }, slot) => this.tensor(shape, dtype, slot));
    for (const one of [`${id}#warm`, id])
      this.builder.emit(name as 'matmul', ids, attributes as Attributes['matmul'], { id: one, phase: 'forward' });
  }

  /** A kernel of scales, each of the one before, and more of them beside. */
  launch({ chain, elements, beside }: (typeof LAUNCHES)[LaunchName], id: string): void {
    const operands = Array.from({ length: beside }, (_, slot) => this.tensor([elements], 'f32', slot));
    const results: ValueId[] = [];
    const { ops } = this.builder.block(() => {
      operands.forEach((operand, slot) => {
        let value = operand;
        for (let index = 0; index < chain; index++) {
          const at = { id: `${id}/${slot}/${index}`, phase: 'forward' } as const;
          value = this.builder.emit('scale' as ComputeName & 'scale', [value], { factor: 1.0001 }, at);
        }
        results.push(value);
      });
    });
    const region = { args: [], ops, results: [] };
    this.builder.push({ name: 'kernel', id, phase: 'forward', operands, results, attributes: {}, region } as Op);
  }

  #constant(elements: number, state: AxisState, id: string): ValueId {
    const type: ValueType = {
      shape: [elements],
      dtype: 'f32',
      states: normalizeStates(this.builder.mesh, { [AXIS]: state }),
    };
    return this.builder.emit('constant', [], { ...type, value: 1 }, { id, phase: 'forward' });
  }

  /** On tensors of so many elements over all ranks, after all ranks have met. */
  collective(name: MeasuredCollective, elements: number, ranks: number): void {
    const id = collectiveId(name, elements);
    const at = (of: string) => ({ id: of, phase: 'reduce' }) as const;
    const { builder } = this;
    const isGather = name === 'all_gather';
    const source = this.#constant(isGather ? elements / ranks : elements, isGather ? 0 : 'partial', `${id}#source`);
    builder.emit('all_reduce', [this.#constant(ranks, 'partial', `${id}#meet`)], { axis: AXIS }, at(`${id}#met`));
    if (name === 'all_reduce') builder.emit(name, [source], { axis: AXIS }, at(id));
    else builder.emit(name, [source], { axis: AXIS, dimensions: [0] }, at(id));
  }

  /** Kernels that compute on few numbers and move many, and then all ranks meet; again and again. */
  meeting(meeting: Meeting): void {
    const { kernels, elements, times } = meeting;
    const operands = [this.tensor([COMPUTED_ELEMENTS], 'f32', 0), this.tensor([LAUNCHES.large.elements], 'f32', 0)];
    const { builder } = this;
    for (let time = 0; time < times; time++) {
      const source = this.#constant(elements, 'partial', `${meetingId(meeting)}#source${time}`);
      const at = (what: string) => ({ id: `${what}${TIME}${time}`, phase: 'forward' }) as const;
      for (let index = 0; index < kernels; index++) {
        const own = meetingKernelId(meeting);
        const { ops } = builder.block(() => {
          builder.emit('gelu', [operands[0]!], {}, at(`${own}/${index}/gelu`));
          builder.emit('scale', [operands[1]!], { factor: 1.0001 }, at(`${own}/${index}/scale`));
        });
        const results = ops.flatMap((op) => op.results);
        const region = { args: [], ops, results: [] };
        const kernel = { name: 'kernel', operands, results, attributes: {}, region };
        builder.push({ ...kernel, ...at(own), id: `${own}${TIME}${time}.${index}` } as Op);
      }
      builder.emit('all_reduce', [source], { axis: AXIS }, at(meetingId(meeting)));
    }
  }

  finish(): Program {
    return this.builder.finish(this.inputs, []);
  }
}

export function probeProgram(mesh: Mesh, probes: readonly OpProbe[]): Program {
  const build = new ProbeBuilder(mesh);
  probes.forEach((probe, index) => {
    if (index % REFERENCE_EVERY === 0) build.probe(REFERENCE, `${REFERENCE_ID}/${index / REFERENCE_EVERY}`);
    build.probe(probe, probeId(index));
  });
  for (const name of ADDEND_NAMES)
    for (const isAdded of [false, true]) build.probe(addendProbe(ADDENDS[name], isAdded), addendId(name, isAdded));
  for (const name of LAUNCH_NAMES) {
    build.launch(LAUNCHES[name], `${launchId(name)}#warm`);
    build.launch(LAUNCHES[name], launchId(name));
  }
  return build.finish();
}

/** Nothing but collectives; of several ranks. */
export function exchangeProgram(mesh: Mesh, ranks: number): Program {
  const build = new ProbeBuilder(mesh);
  for (const name of MEASURED_COLLECTIVES)
    for (const elements of EXCHANGED_ELEMENTS) build.collective(name, elements, ranks);
  return build.finish();
}

/** Ranks that compute and meet; of several ranks. */
export function meetingProgram(mesh: Mesh, ranks: number): Program {
  const build = new ProbeBuilder(mesh);
  build.collective('all_reduce', EXCHANGED_ELEMENTS[0]!, ranks);
  for (const meeting of MEETINGS) build.meeting(meeting);
  return build.finish();
}

/** So many launches of nothing, whose step is what the host takes. */
export function idleProgram(mesh: Mesh, kernels: number): Program {
  const build = new ProbeBuilder(mesh);
  for (let index = 0; index < kernels; index++) build.launch(LAUNCHES.one, `idle/${index}`);
  return build.finish();
}
