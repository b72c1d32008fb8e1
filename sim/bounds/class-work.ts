/**
 * What one microbatch takes of a chip, by the parts of a model, from its lowered forward and backward pass: kernels, the
 * collectives that a chip waits for, and what is kept for the backward pass. Plans whose chips have the same shapes share
 * it, whatever their count of microbatches, their stages and what they shard besides.
 */
import type { MatmulRate, Stack } from '../../src/hardware/index.js';
import type { AxisName } from '../../src/mesh/index.js';
import { stateOf } from '../../src/mesh/index.js';
import type {
  Attributes,
  CollectiveName,
  FloatType,
  Op,
  Program,
  ProgramInput,
  ValueId,
  ValueType,
} from '../../src/program/index.js';
import {
  attributesOf,
  elementCount,
  isCollective,
  isCompute,
  matmulFlops,
  memoryUse,
  recordOf,
  regionOps,
  typeBytes,
} from '../../src/program/index.js';
import type { ComputeChip } from '../cost/index.js';
import { attentionGroups, fastestRate, kernelsOf, matmulRateOf, memoryOptions, mostAchievable } from '../cost/index.js';

/** Collectives of one kind that a chip waits for one by one. */
export interface WaitedCollective {
  readonly name: CollectiveName;
  readonly axis: AxisName;
  readonly heldBytes: number;
  readonly shifts?: readonly { readonly by: number; readonly bytes: number }[];
  count: number;
}

/** Of one pass through a part of the model. */
export interface PassWork {
  /** Kernels alone, at the rates that the simulator gives them. */
  seconds: number;
  readonly collectives: WaitedCollective[];
  /** Those that run beside kernels: they take turns with the others over their axis. */
  readonly beside: WaitedCollective[];
}

export interface PartWork {
  readonly forward: PassWork;
  readonly backward: PassWork;
}

/** Layers that lie in one repeat. */
export interface LayersWork extends PartWork {
  readonly count: number;
  /** Bytes that each of them keeps of a microbatch for its backward pass. */
  readonly keptBytes: number;
}

export interface ClassWork {
  /** What a layer hands on to the next: bytes on a chip, and whether all along `model` have the same. */
  readonly stream: { readonly bytes: number; readonly isWhole: boolean };
  /** `forward` and `backward` are of one layer. */
  readonly layers: readonly LayersWork[];
  readonly embedding: PartWork;
  readonly head: PartWork;
  /** The most bytes of activations that a microbatch needs at once, where that was worked out: `withActivations`. */
  readonly activationBytes?: number;
  /** Parameters on a chip: of all layers, and of the rest. */
  readonly layerElements: Elements;
  readonly endElements: Elements;
  /** Of the rest, those that only what comes before the layers reads, and only what comes after them. */
  readonly firstElements: Elements;
  readonly lastElements: Elements;
  /** Of one layer's parameters that lie whole on an axis of so many chips and can be cut over it. */
  readonly cutElements: (chips: number) => number;
}

export interface Elements {
  readonly all: number;
  /** Of those that come in the type that they are used in, which is not the one that they are kept in. */
  readonly cast: number;
}

/** How long a kernel takes at least. */
export type KernelSeconds = (kernel: Op) => number;

const noWork = (): PassWork => ({ seconds: 0, collectives: [], beside: [] });
const noPart = (): PartWork => ({ forward: noWork(), backward: noWork() });

class Reader {
  readonly #program: Program;
  readonly #stack: Stack;
  readonly #seconds: KernelSeconds;

  constructor(program: Program, stack: Stack, seconds: KernelSeconds) {
    this.#program = program;
    this.#stack = stack;
    this.#seconds = seconds;
  }

  /** By the phase of each op. */
  split(to: PartWork, ops: readonly Op[]): void {
    this.add(
      to.forward,
      ops.filter(({ phase }) => phase === 'forward'),
    );
    this.add(
      to.backward,
      ops.filter(({ phase }) => phase !== 'forward'),
    );
  }

  add(work: PassWork, ops: readonly Op[], times = 1): void {
    for (const op of ops) {
      if (isCollective(op.name)) this.#collective(work, op, op.name, times);
      else if (op.name === 'kernel' || isCompute(op.name)) work.seconds += times * this.#seconds(op);
      else if (op.region !== undefined)
        this.add(work, regionOps(op.region), op.name === 'repeat' ? times * attributesOf(op, 'repeat').count : times);
    }
  }

  #collective(work: PassWork, op: Op, name: CollectiveName, times: number): void {
    const isBeside = op.asynchronous === true && this.#stack.asynchronous.includes(name);
    const list = isBeside ? work.beside : work.collectives;
    const { axis } = op.attributes as { axis: AxisName };
    const sizes = op.operands.map((id) => typeBytes(this.#program.values[id]!.type));
    const heldBytes = sizes.reduce((sum, size) => sum + size, 0);
    const shifts =
      name === 'permute'
        ? (op.attributes as Attributes['permute']).shifts.map((by, index) => ({ by, bytes: sizes[index]! }))
        : undefined;
    const same = list.find(
      (one) => shifts === undefined && one.name === name && one.axis === axis && one.heldBytes === heldBytes,
    );
    if (same !== undefined) same.count += times;
    else list.push({ name, axis, heldBytes, count: times, ...(shifts === undefined ? {} : { shifts }) });
  }
}

function keptBytes({ values }: Program, repeat: Op): number {
  const { count, carried } = attributesOf(repeat, 'repeat');
  return repeat.results.slice(carried).reduce((sum, id) => sum + typeBytes(values[id]!.type) / count, 0);
}

const isParameter = ({ kind }: ProgramInput): boolean => kind === 'parameter';

/** Where among a program's ops the repeats over its layers are, the backward one of each at the same place. */
export function repeatsOfLayers({ ops }: Program): { readonly forwards: number[]; readonly backwards: number[] } {
  const [forwards, backwards]: [number[], number[]] = [[], []];
  ops.forEach(({ name, phase }, place) => {
    if (name === 'repeat' && phase === 'forward') forwards.push(place);
    if (name === 'repeat' && phase === 'backward') backwards.unshift(place);
  });
  return { forwards, backwards };
}

/**
 * @param program one microbatch's forward and backward pass, whose layers are repeats
 * @param keptType of parameters between steps
 * @param seconds of its kernels; `kernelSeconds` has what the simulator says of them
 */
export function classWork(program: Program, stack: Stack, keptType: FloatType, seconds: KernelSeconds): ClassWork {
  const reader = new Reader(program, stack, seconds);
  const { forwards, backwards } = repeatsOfLayers(program);
  const layers = forwards.map((place, index): LayersWork => {
    const part = noPart();
    const repeat = program.ops[place]!;
    reader.add(part.forward, regionOps(repeat.region!));
    const back = backwards[index];
    // With what it makes again.
    if (back !== undefined) reader.add(part.backward, regionOps(program.ops[back]!.region!));
    return { ...part, count: attributesOf(repeat, 'repeat').count, keptBytes: keptBytes(program, repeat) };
  });
  const [embedding, head] = [noPart(), noPart()];
  const first = forwards[0] ?? -1;
  const last = backwards[0] ?? program.ops.length;
  const end = backwards.at(-1) ?? program.ops.length;
  const isBetween = (from: number, to: number) => (op: Op, index: number) =>
    index > from && index < to && op.name !== 'repeat';
  reader.split(embedding, program.ops.filter(isBetween(-1, first)));
  reader.split(head, program.ops.filter(isBetween(first, Math.max(last, end))));
  reader.split(embedding, program.ops.filter(isBetween(Math.max(last, end), Infinity)));
  const elements = (isWanted: (value: ValueId, type: ValueType) => boolean): Elements => {
    const types = program.inputs
      .filter(isParameter)
      .map(({ value }) => [value, program.values[value]!.type] as const)
      .flatMap(([value, type]) => (isWanted(value, type) ? [type] : []));
    const count = (among: typeof types): number =>
      among.reduce((sum, { shape, stack = 1 }) => sum + elementCount(shape) * stack, 0);
    return { all: count(types), cast: count(types.filter(({ dtype }) => dtype !== keptType)) };
  };
  const readBy = (ops: readonly Op[]): ReadonlySet<ValueId> =>
    new Set(ops.flatMap(({ phase, operands }) => (phase === 'forward' ? operands : [])));
  const [before, after] = [readBy(program.ops.slice(0, first + 1)), readBy(program.ops.slice(first + 1))];
  const isEnd = ({ stack }: ValueType): boolean => stack === undefined;
  const knownCuts = new Map<number, number>();
  const cutElements = (chips: number): number => {
    const known = knownCuts.get(chips);
    if (known !== undefined) return known;
    let sum = 0;
    for (const input of program.inputs) {
      if (input.kind !== 'parameter') continue;
      const { shape, states, stack } = program.values[input.value]!.type;
      // Parts that are dealt one by one are no neighbours, so that their dimension is not cut.
      const taken = new Set([...Object.values(states), input.segments?.dimension]);
      const isCut = shape.some((size, dimension) => size % chips === 0 && !taken.has(dimension));
      if (stack !== undefined && isCut) sum += elementCount(shape);
    }
    knownCuts.set(chips, sum);
    return sum;
  };
  return {
    stream: streamOf(program, forwards[0]),
    layers,
    embedding,
    head,
    layerElements: elements((_, type) => !isEnd(type)),
    endElements: elements((_, type) => isEnd(type)),
    firstElements: elements((id, type) => isEnd(type) && before.has(id) && !after.has(id)),
    lastElements: elements((id, type) => isEnd(type) && after.has(id) && !before.has(id)),
    cutElements,
  };
}

function streamOf({ ops, values }: Program, repeat: number | undefined): ClassWork['stream'] {
  const entering = repeat === undefined ? undefined : ops[repeat]!.operands[0];
  if (entering === undefined) return { bytes: 0, isWhole: false };
  const { type } = values[entering]!;
  return { bytes: typeBytes(type), isWhole: typeof stateOf(type.states, 'model') !== 'number' };
}

/** With what a microbatch needs at once, from a walk over its program. */
export const withActivations = (work: ClassWork, program: Program, stack: Stack): ClassWork => ({
  ...work,
  activationBytes: memoryUse(program, { ...memoryOptions(program, stack), only: 'activation' }).peakBytes,
});

/**
 * What kernels' matmuls take where each has whole tiles and the best rate that the simulator gives any.
 *
 * @throws MeshwrightError DTYPE_UNSUPPORTED for a matmul in a type without a rate
 */
export function leastSeconds(
  { values }: Program,
  { chip, computeSlowdown, matmulSlowdown = 1 }: ComputeChip,
): KernelSeconds {
  const type = (id: ValueId) => values[id]!.type;
  const { matrixUnit: unit, memoryBandwidth } = chip;
  const rates = new Map<MatmulRate, number>();
  const most = (rate: MatmulRate): number => {
    let found = rates.get(rate);
    if (found === undefined)
      rates.set(rate, (found = mostAchievable(rate, unit, rate.achievable / memoryBandwidth.achievable)));
    return found;
  };
  return (kernel) => {
    const ops = kernel.name === 'kernel' ? kernel.region!.ops : [kernel];
    const groups = attentionGroups(ops, values, new Set(kernel.results));
    let seconds = 0;
    for (const op of ops) {
      if (!isCompute(op.name)) continue;
      const { matmul } = recordOf(op.name).work(op.operands.map(type), op.results.map(type), op.attributes as never);
      if (matmul === undefined) continue;
      const group = groups.find((one) => one.ops.includes(op));
      const rate = matmulRateOf(op, values, chip);
      // A kernel for all of attention has rates of its own.
      const fastest = group === undefined ? most(rate) : Math.max(most(rate), fastestRate(rate));
      seconds += ((group?.share ?? 1) * matmulFlops(matmul)) / fastest;
    }
    return seconds * computeSlowdown * matmulSlowdown;
  };
}

/** What the simulator says of kernels that nothing is beside. */
export function kernelSeconds(program: Program, chip: ComputeChip, stack: Stack): KernelSeconds {
  const kernels = kernelsOf(program, stack);
  return (kernel) => kernels.cost(kernel, chip).seconds;
}
